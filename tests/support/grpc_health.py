"""A real gRPC server that offers grpc.health.v1.Health, on a free loopback port or a unix socket."""

from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVING, NOT_SERVING = 1, 2


def _messages():
    """The two messages of health.proto, made by protobuf itself from their description."""
    string, enum = descriptor_pb2.FieldDescriptorProto.TYPE_STRING, descriptor_pb2.FieldDescriptorProto.TYPE_INT32
    file = descriptor_pb2.FileDescriptorProto(name="health.proto", package="grpc.health.v1", syntax="proto3")
    for name, field, kind in (("HealthCheckRequest", "service", string), ("HealthCheckResponse", "status", enum)):
        message = file.message_type.add(name=name)
        message.field.add(name=field, number=1, type=kind, label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return [factory.GetPrototype(pool.FindMessageTypeByName(f"grpc.health.v1.{name}"))
            for name in ("HealthCheckRequest", "HealthCheckResponse")]


class HealthServer:
    """`services` maps names to statuses; `refuse` is a grpc.StatusCode that every call is answered with.

    `client_authority`: a file; clients without a certificate of that authority are refused."""

    def __init__(self, credentials=None, path=None, offers_health=True, client_authority=None):
        request, response = _messages()
        self.services = {"": SERVING}
        self.refuse = None
        self.metadata = []
        self.asked = []
        self.peers = set()
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))

        def check(question, context):
            self.asked.append((question.service, context.time_remaining()))
            self.metadata = context.invocation_metadata()
            self.peers.add(context.peer())
            if self.refuse:
                context.abort(self.refuse, "no: 100 % refused")
            if question.service not in self.services:
                context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
            return response(status=self.services[question.service])

        if offers_health:
            handler = grpc.unary_unary_rpc_method_handler(check, request.FromString, response.SerializeToString)
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler}),))
        if path:
            self._server.add_insecure_port(f"unix:{path}")
        elif credentials:
            cert, key = (open(file, "rb").read() for file in credentials)
            demanded = {}
            if client_authority:
                with open(client_authority, "rb") as file:
                    demanded = {"root_certificates": file.read(), "require_client_auth": True}
            self.port = self._server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, cert)], **demanded))
        else:
            self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def close(self):
        self._server.stop(None).wait()
