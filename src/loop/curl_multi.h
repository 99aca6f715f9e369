// CurlMulti: runs libcurl transfers on a loop, through the multi-socket interface.
//
// Owns: the multi handle, the watches of its sockets and its timer. curl is initialised at the first
// transfer, because that costs milliseconds and megabytes, which a gate without HTTP does not need.
#pragma once

#include <curl/curl.h>

#include <map>
#include <memory>

#include "loop/fd_watch.h"
#include "loop/timer.h"

namespace probegate::loop {

struct FreeCurl {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
  void operator()(char* text) const noexcept { curl_free(text); }
};
template <typename T>
using Curl = std::unique_ptr<T, FreeCurl>;

class CurlMulti {
 public:
  class Observer {
   public:
    // The transfer ended; remove() it. Called while curl's results are iterated: destroy nothing here.
    virtual void on_transfer_done(CURLcode code) = 0;

   protected:
    ~Observer() = default;
  };

  explicit CurlMulti(Loop& loop);
  ~CurlMulti();  // every transfer must have been removed
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  // Initialises curl if necessary.
  Curl<CURL> make_easy();
  // Starts the transfer; uses the handle's CURLOPT_PRIVATE.
  void add(CURL* easy, Observer& observer);
  void remove(CURL* easy);

 private:
  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) noexcept;
  static int on_timer(CURLM*, long millis, void* self) noexcept;
  void watch(curl_socket_t fd, int what);
  void act(curl_socket_t fd, int events);

  Loop& loop_;
  CURLM* multi_ = nullptr;
  int transfers_ = 0;
  std::map<curl_socket_t, std::unique_ptr<FdWatch>> watches_;
  Timer timer_;
};

}  // namespace probegate::loop
