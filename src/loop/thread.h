// Starts a thread for a loop: named (top -H, metrics), and deaf to signals, which belong to the control loop.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace probegate::loop {

std::thread start_thread(std::string name, std::function<void()> run);  // 15 characters at most are shown

}  // namespace probegate::loop
