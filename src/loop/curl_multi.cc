#include "loop/curl_multi.h"

#include <cassert>
#include <new>
#include <stdexcept>

namespace probegate::loop {
namespace {

constexpr long kIdleConnections = 32;  // kept for reuse, over all hosts

}  // namespace

CurlMulti::CurlMulti(Loop& loop) : loop_(loop), timer_(loop, [this] { act(CURL_SOCKET_TIMEOUT, 0); }) {}

CurlMulti::~CurlMulti() {
  assert(transfers_ == 0 && "a transfer outlived curl");
  if (multi_ == nullptr) return;
  // Cleanup closes kept connections, for which curl may still request watches (CCF 7308).
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, nullptr);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, nullptr);
  watches_.clear();
  curl_multi_cleanup(multi_);
  curl_global_cleanup();
}

Curl<CURL> CurlMulti::make_easy() {
  if (multi_ == nullptr) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw std::runtime_error("cannot initialise curl");
    multi_ = curl_multi_init();
    if (multi_ == nullptr) {
      curl_global_cleanup();
      throw std::bad_alloc();
    }
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kIdleConnections);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlMulti::on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlMulti::on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  }
  Curl<CURL> easy(curl_easy_init());
  if (!easy) throw std::bad_alloc();
  return easy;
}

void CurlMulti::add(CURL* easy, Observer& observer) {
  curl_easy_setopt(easy, CURLOPT_PRIVATE, static_cast<void*>(&observer));
  if (const CURLMcode code = curl_multi_add_handle(multi_, easy); code != CURLM_OK) {
    throw std::runtime_error(std::string("cannot start a transfer: ") + curl_multi_strerror(code));
  }
  ++transfers_;
}

void CurlMulti::remove(CURL* easy) {
  curl_multi_remove_handle(multi_, easy);
  --transfers_;
}

int CurlMulti::on_timer(CURLM*, long millis, void* self) noexcept {
  auto& timer = static_cast<CurlMulti*>(self)->timer_;
  if (millis < 0) {
    timer.stop();
  } else {
    timer.start(Millis(millis));
  }
  return 0;
}

int CurlMulti::on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) noexcept {
  auto& multi = *static_cast<CurlMulti*>(self);
  // An error reported to curl would end all transfers permanently; without it, only this one times out. Uses
  // the root sink, because a kept connection outlives the check whose transfer opened it.
  multi.loop_.enter(multi.loop_.root_sink(), [&] { multi.watch(fd, what); });
  return 0;
}

void CurlMulti::watch(curl_socket_t fd, int what) {
  if (what == CURL_POLL_REMOVE) {
    watches_.erase(fd);
    return;
  }
  auto& watch = watches_[fd];
  if (!watch) {
    watch = std::make_unique<FdWatch>(loop_, fd, [this, fd](FdWatch::Ready ready) {
      act(fd, (ready.readable ? CURL_CSELECT_IN : 0) | (ready.writable ? CURL_CSELECT_OUT : 0) |
                  (ready.error ? CURL_CSELECT_ERR : 0));
    });
  }
  watch->want((what & CURL_POLL_IN) != 0, (what & CURL_POLL_OUT) != 0);
}

void CurlMulti::act(curl_socket_t fd, int events) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, events, &running);
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;  // the message becomes invalid when the transfer is removed
    char* observer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &observer);
    reinterpret_cast<Observer*>(observer)->on_transfer_done(code);
  }
}

}  // namespace probegate::loop
