#include <iostream>

#include "base/exit_code.h"
#include "base/version.h"
#include "checks/registry.h"
#include "cli/commands.h"
#include "config/document.h"
#include "config/load.h"
#include "config/secrets.h"
#include "deploy/deployment.h"
#include "loop/digest.h"

namespace probegate::cli {
namespace {

using config::Platform;

Platform platform_of(const std::string& word) {
  if (word == "cloud-run") return Platform::cloud_run;
  return word == "kubernetes" ? Platform::kubernetes : Platform::docker;
}

// The environment on the target platform, not that of the machine that renders the manifest.
config::Environment environment_of(Platform target) {
  auto environment = config::process_environment();
  for (const auto* name : {"K_SERVICE", "KUBERNETES_SERVICE_HOST"}) environment.erase(name);
  if (target == Platform::cloud_run) {
    environment.emplace("K_SERVICE", "probegate");
    environment.emplace("PORT", "8080");
  }
  environment.erase("PROBEGATE_PLATFORM");
  if (target == Platform::docker) environment.emplace("PROBEGATE_PLATFORM", "docker");
  if (target == Platform::kubernetes) environment.emplace("KUBERNETES_SERVICE_HOST", "probegate");
  return environment;
}

std::string manifest(Platform target, const deploy::Deployment& deployment) {
  switch (target) {
    case Platform::cloud_run: return deploy::cloud_run_manifest(deployment);
    case Platform::kubernetes: return deploy::kubernetes_manifest(deployment);
    default: return deploy::compose_manifest(deployment);
  }
}

}  // namespace

int render(const RenderOptions& options) {
  const Platform target = platform_of(options.platform);
  const auto environment = environment_of(target);
  const auto loaded =
      config::load(options.config, environment, checks::config_check_types(), config::Purpose::render);
  for (const auto& problem : loaded.problems) std::cerr << problem << "\n";
  if (!loaded.problems.empty()) return exit_code::kUsage;

  deploy::Deployment deployment =
      deploy::plan_deployment(target, loaded.config, loaded.check_texts, options.names);
  for (const auto& contradiction : deployment.contradictions) {
    std::cerr << loaded.source << ": " << contradiction << "\n";
  }
  if (!deployment.contradictions.empty()) return exit_code::kUsage;
  for (const auto& warning : deployment.warnings) {
    std::cerr << loaded.source << ": warning: " << warning << "\n";
  }
  deployment.version = kVersion;
  deployment.config_file = loaded.file;
  if (loaded.file) {
    const auto content = config::read_file(*loaded.file, config::kMaxDocumentBytes);
    if (content) deployment.checksum = loop::sha256_hex(*content);
  }
  deployment.environment = loaded.file ? deploy::file_environment(loaded.variables, target)
                                       : deploy::plain_environment(environment, target);
  std::cout << manifest(target, deployment);
  return exit_code::kOk;
}

}  // namespace probegate::cli
