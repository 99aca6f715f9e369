#include "base/template_text.h"
#include "deploy/deployment.h"

namespace probegate::deploy {
namespace {

constexpr std::int64_t kPeriod = 2;  // of the startup probe, in seconds

constexpr std::string_view kService = R"(# Cloud Run, rendered by probegate @VERSION@ for @SOURCE@.
#
@CREATE@
#   gcloud run services replace FILE --region=REGION
#
# Replace PROJECT and REGION. Secrets are named here and never written. A new version of the configuration's secret
# is mounted by new instances; deploy again, or set reload.watch, for those that run.
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: @NAME@
spec:
  template:
    metadata:
      annotations:
        run.googleapis.com/execution-environment: gen2
        # CPU always: with throttling the checks freeze between requests, and what they say is as old as the last one.
        run.googleapis.com/cpu-throttling: 'false'
        run.googleapis.com/startup-cpu-boost: 'true'
        run.googleapis.com/sessionAffinity: 'true'
        # The gate starts once the backend's process listens. Never the other way round: the gate's own startup probe
        # waits for the backend, so a backend that waited for the gate would never start.
        run.googleapis.com/container-dependencies: '{"gate": ["backend"]}'
        # Without an instance that stays, the first client waits for a whole start. maxScale bounds the connections that
        # all instances together open to the dependencies.
        autoscaling.knative.dev/minScale: '1'
        autoscaling.knative.dev/maxScale: '10'
        @CLOUD_SQL@
        @PRIVATE@
    spec:
      timeoutSeconds: 3600   # a WebSocket is one request: the longest that Cloud Run allows
      # Each WebSocket counts for as long as it lives; the default is 80, the most 1000. As many as the backend can hold.
      containerConcurrency: @CONCURRENCY@
      # serviceAccountName: ACCOUNT   # of a service account that may read the secrets, and no more
      containers:
        - name: gate
          image: @IMAGE@
          ports:
            - containerPort: @PORT@
          @GATE_ENV@
          @MOUNT@
          # HTTP and explicit: the default TCP probe passes the moment the port is bound. @PATIENCE@ s in all: more than
          # gate.startup_timeout (@STARTUP@ s), so that the log says what was missing, and no more than the platform's 240.
          startupProbe:
            httpGet: {path: /health/startup, port: @PROBE_PORT@}
            periodSeconds: @PERIOD@
            timeoutSeconds: 1
            failureThreshold: @THRESHOLD@
          # About this process alone: a dependency that is down must not kill the instance and its open sockets.
          livenessProbe:
            httpGet: {path: /health/live, port: @PROBE_PORT@}
            periodSeconds: 10
            timeoutSeconds: 2
            failureThreshold: 3
          resources:
            limits: {cpu: 500m, memory: 128Mi}
        - name: backend
          image: @BACKEND_IMAGE@
          env:
            - name: PORT
              value: '@BACKEND_PORT@'
            - name: HOST   # where the backend's framework takes it: nothing but the gate reaches it then
              value: 127.0.0.1
            @BACKEND_ENV@
          # Only tests that the process listens; the gate tests whether it can serve.
          startupProbe:
            tcpSocket: {port: @BACKEND_PORT@}
            periodSeconds: 2
            timeoutSeconds: 1
            failureThreshold: 60
          resources:
            limits: {cpu: '1', memory: 512Mi}
      @VOLUMES@
)";

std::string entries(const Deployment& deployment, bool secrets_only) {
  std::string text;
  for (const auto& entry : deployment.environment) {
    if (secrets_only && !is_for_backend(entry)) continue;
    if (!text.empty()) text += "\n";
    text += "- name: " + entry.name + "\n";
    text += entry.value ? "  value: " + quoted_yaml(*entry.value)
                        : "  valueFrom:\n    secretKeyRef: {name: " + entry.name + ", key: latest}";
  }
  return text;
}

std::string creation(const Deployment& deployment) {
  std::string text;
  if (deployment.config_file) {
    text +=
        "#   gcloud secrets create " + deployment.name + "-probegate --data-file=" + *deployment.config_file;
  }
  for (const auto& entry : deployment.environment) {
    if (entry.value) continue;
    if (!text.empty()) text += "\n";
    text += "#   gcloud secrets create " + entry.name + " --data-file=-";
  }
  return text;
}

std::string indented(const std::string& text) {
  std::string out = "  ";
  for (const char c : text) out += c == '\n' ? std::string("\n  ") : std::string(1, c);
  return out;
}

// The annotation for the Cloud SQL proxy, whose sockets are in /cloudsql/.
std::string cloud_sql(const Deployment& deployment) {
  std::string list;
  for (const auto& instance : deployment.cloud_sql) list += (list.empty() ? "" : ",") + instance;
  return list.empty() ? "" : "run.googleapis.com/cloudsql-instances: '" + list + "'";
}

std::string private_network(const Deployment& deployment) {
  if (deployment.private_hosts.empty()) return "";
  std::string list;
  for (const auto& host : deployment.private_hosts) list += (list.empty() ? "" : ", ") + host;
  return "# Private addresses, reachable only through a VPC: " + list +
         "\n# run.googleapis.com/network-interfaces: '[{\"network\": \"NETWORK\", \"subnetwork\": "
         "\"SUBNETWORK\"}]'\n# run.googleapis.com/vpc-access-egress: private-ranges-only";
}

}  // namespace

std::string cloud_run_manifest(const Deployment& deployment) {
  const bool file = deployment.config_file.has_value();
  const std::string env = entries(deployment, false);
  return fill_template(
      kService,
      {{"VERSION", deployment.version},
       {"SOURCE", deployment.config_file.value_or("the environment alone")},
       {"CREATE", creation(deployment)},
       {"NAME", deployment.name},
       {"IMAGE", deployment.image},
       {"CLOUD_SQL", cloud_sql(deployment)},
       {"PRIVATE", private_network(deployment)},
       {"CONCURRENCY", std::to_string(deployment.concurrency)},
       {"PORT", std::to_string(deployment.port)},
       {"GATE_ENV", env.empty() ? "" : "env:\n" + indented(env)},
       {"MOUNT", file ? "volumeMounts:\n  - name: config\n    mountPath: /etc/probegate" : ""},
       {"PATIENCE", std::to_string(deployment.startup_patience)},
       {"STARTUP", std::to_string(deployment.startup_seconds)},
       {"PROBE_PORT", std::to_string(deployment.probe_port)},
       {"PERIOD", std::to_string(kPeriod)},
       {"THRESHOLD", std::to_string((deployment.startup_patience + kPeriod - 1) / kPeriod)},
       {"BACKEND_IMAGE", deployment.backend_image},
       {"BACKEND_PORT", std::to_string(deployment.backend_port)},
       {"BACKEND_ENV", entries(deployment, true)},
       {"VOLUMES", file ? "volumes:\n  - name: config\n    secret:\n      secretName: " + deployment.name +
                              "-probegate\n      items:\n        - {key: latest, path: probegate.yaml}"
                        : ""}});
}

}  // namespace probegate::deploy
