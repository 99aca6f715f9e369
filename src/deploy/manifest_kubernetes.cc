#include <algorithm>

#include "base/template_text.h"
#include "deploy/deployment.h"

namespace probegate::deploy {
namespace {

// Seconds of the Pod's end, besides the gate's drain.
constexpr std::int64_t kSpare = 5;     // that the backend outlives the drain
constexpr std::int64_t kBackend = 35;  // time for the backend's own shutdown
constexpr std::int64_t kRest = 10;

constexpr std::string_view kManifest =
    R"(# Kubernetes 1.30 and later, rendered by probegate @VERSION@ for @SOURCE@.
#
@CREATE@
#   kubectl apply -f FILE
#
# Secrets are named here and never written. The checksum below rolls the Pods when the file is rendered anew; a running
# gate takes a changed secret by itself with `reload: {watch: true}`.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: @NAME@
  labels: {app: @NAME@}
spec:
  @REPLICAS@
  progressDeadlineSeconds: @PROGRESS@
  selector:
    matchLabels: {app: @NAME@}
  template:
    metadata:
      labels: {app: @NAME@}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "@PROBE_PORT@"
        prometheus.io/path: /metrics
        @CHECKSUM@
    spec:
      # In order: the gate drains (@DRAIN@ s) while the backend's preStop sleeps (@PRE_STOP@ s); SIGTERM to the backend, which may
      # take @BACKEND_STOP@ s; SIGTERM to the gate, which has nothing left; a rest.
      terminationGracePeriodSeconds: @GRACE@
      initContainers:
        - name: gate
          image: @IMAGE@
          # This line makes it a sidecar: it starts before the backend, runs beside it and ends after it.
          restartPolicy: Always
          @GATE_ENV@
          ports:
            # Behind an Ingress that ends TLS, list its network in proxy.forwarded.trust, or the app sees http.
            - {name: http, containerPort: @PORT@}
            - {name: probes, containerPort: @PROBE_PORT@}
          @MOUNTS@
          # No startupProbe: the backend's container starts only after a sidecar's startup probe has passed, so one that
          # waits for the backend would wait for ever. The readiness probe waits instead.
          readinessProbe:
            httpGet: {path: /health/ready, port: probes}
            periodSeconds: 2
            timeoutSeconds: 1
            failureThreshold: 2
          # About this process alone, never about a dependency.
          livenessProbe:
            httpGet: {path: /health/live, port: probes}
            periodSeconds: 10
            timeoutSeconds: 2
            failureThreshold: 3
          # The drain begins with the Pod's end, not with SIGTERM, which a sidecar gets last: when the backend has ended.
          lifecycle:
            preStop:
              exec: {command: [/usr/bin/probegate, drain, --wait]}
          resources:
            requests: {cpu: 25m, memory: 32Mi}
            limits: {memory: 128Mi}
          securityContext:
            runAsNonRoot: true
            runAsUser: 65532
            runAsGroup: 65532
            readOnlyRootFilesystem: true
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
            seccompProfile: {type: RuntimeDefault}
      containers:
        - name: backend
          image: @BACKEND_IMAGE@
          env:
            - {name: PORT, value: "@BACKEND_PORT@"}
            # Where the backend's framework takes it (others want --host), the gate is the only way in. The NetworkPolicy
            # below says so too, where the cluster's network obeys one.
            - {name: HOST, value: 127.0.0.1}
            @BACKEND_ENV@
          # Lives as long as the gate drains, so that clients are sent away one after another.
          lifecycle:
            preStop:
              sleep: {seconds: @PRE_STOP@}   # the kubelet's own: no program of the image is needed
          resources:
            requests: {cpu: 250m, memory: 256Mi}
            limits: {memory: 512Mi}
          # Required by the Pod Security level "restricted". An image that runs as root also needs runAsUser.
          securityContext:
            runAsNonRoot: true
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
            seccompProfile: {type: RuntimeDefault}
      @VOLUMES@
---
apiVersion: v1
kind: Service
metadata:
  name: @NAME@
  labels: {app: @NAME@}
spec:
  selector: {app: @NAME@}
  ports:
    - {name: http, port: 80, targetPort: http}   # the gate's port; the probe port stays inside
---
# Nobody but the gate reaches the backend, whatever address that listens on.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: @NAME@
  labels: {app: @NAME@}
spec:
  podSelector:
    matchLabels: {app: @NAME@}
  policyTypes: [Ingress]
  ingress:
    - ports:
        - {protocol: TCP, port: @PORT@}
        - {protocol: TCP, port: @PROBE_PORT@}   # for Prometheus; the kubelet's probes are let in anyhow
)";

std::string entries(const Deployment& deployment, bool secrets_only, const std::string& indent) {
  std::string text;
  for (const auto& entry : deployment.environment) {
    if (secrets_only && !is_for_backend(entry)) continue;
    if (!text.empty()) text += "\n";
    text += indent + "- {name: " + entry.name + ", ";
    text += entry.value
                ? "value: " + quoted_yaml(*entry.value) + "}"
                : "valueFrom: {secretKeyRef: {name: " + deployment.name + ", key: " + entry.name + "}}}";
  }
  return text;
}

// A command that can be repeated: `create` alone fails if the secret exists.
std::string secret_creation(const std::string& name, const std::string& content) {
  return "#   kubectl create secret generic " + name + content +
         " \\\n#     --dry-run=client -o yaml | kubectl apply -f -";
}

std::string creation(const Deployment& deployment) {
  std::string text;
  if (deployment.config_file) {
    text = secret_creation(deployment.name + "-probegate",
                           " --from-file=probegate.yaml=" + *deployment.config_file);
  }
  std::string literals;
  for (const auto& entry : deployment.environment) {
    if (!entry.value) literals += " --from-literal=" + entry.name + "=...";
  }
  if (literals.empty()) return text;
  return text + (text.empty() ? "" : "\n") + secret_creation(deployment.name, literals);
}

struct Volumes {
  std::string mounts;
  std::string volumes;
};

Volumes volumes_of(const Deployment& deployment) {
  Volumes made;
  if (deployment.config_file) {
    made.mounts += "\n  - {name: config, mountPath: /etc/probegate, readOnly: true}";
    made.volumes += "\n  - name: config\n    secret: {secretName: " + deployment.name + "-probegate}";
  }
  if (deployment.state_directory) {
    made.mounts += "\n  - {name: state, mountPath: " + quoted_yaml(*deployment.state_directory) + "}";
    made.volumes += "\n  - name: state\n    emptyDir: {}   # outlives a container, not its Pod";
  }
  if (!made.mounts.empty()) made = {"volumeMounts:" + made.mounts, "volumes:" + made.volumes};
  return made;
}

}  // namespace

std::string kubernetes_manifest(const Deployment& deployment) {
  const std::string env = entries(deployment, false, "  ");
  const auto [mounts, volumes] = volumes_of(deployment);
  const std::int64_t pre_stop = deployment.drain_seconds + kSpare;
  const std::int64_t grace = pre_stop + kBackend + kRest;
  const std::int64_t progress =
      deployment.startup_seconds == 0 ? 600 : std::max<std::int64_t>(300, deployment.startup_seconds + 60);
  return fill_template(
      kManifest, {{"VERSION", deployment.version},
                  {"SOURCE", deployment.config_file.value_or("the environment alone")},
                  {"CREATE", creation(deployment)},
                  {"NAME", deployment.name},
                  {"REPLICAS", deployment.autoscaled ? "" : "replicas: 2"},
                  {"CHECKSUM", deployment.checksum.empty() ? "" : "checksum/config: " + deployment.checksum},
                  {"PROGRESS", std::to_string(progress)},
                  {"PRE_STOP", std::to_string(pre_stop)},
                  {"BACKEND_STOP", std::to_string(kBackend)},
                  {"DRAIN", std::to_string(deployment.drain_seconds)},
                  {"GRACE", std::to_string(grace)},
                  {"IMAGE", deployment.image},
                  {"GATE_ENV", env.empty() ? "" : "env:\n" + env},
                  {"PORT", std::to_string(deployment.port)},
                  {"PROBE_PORT", std::to_string(deployment.probe_port)},
                  {"MOUNTS", mounts},
                  {"BACKEND_IMAGE", deployment.backend_image},
                  {"BACKEND_PORT", std::to_string(deployment.backend_port)},
                  {"BACKEND_ENV", entries(deployment, true, "")},
                  {"VOLUMES", volumes}});
}

}  // namespace probegate::deploy
