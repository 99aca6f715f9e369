// ExchangeDriver: passes events to an exchange and then calls its owner, so that no call of the exchange is
// on the stack when the owner takes the outcome and destroys it.
//
// Owned by the part that runs the exchanges, and outlives each of them. Thread: its data loop's.
#pragma once

#include "proxy/exchange.h"

namespace probegate::proxy {

class ExchangeDriver final : public Exchange::Events {
 public:
  class Owner {
   public:
    // An event has been handled. The exchange may be destroyed inside this call.
    virtual void exchange_stepped() = 0;

   protected:
    ~Owner() = default;
  };

  explicit ExchangeDriver(Owner& owner) : owner_(owner) {}

  // The exchange that gets the events; none may follow its outcome.
  void drive(Exchange& exchange) { exchange_ = &exchange; }

 private:
  void on_backend(loop::Stream backend) override {
    exchange_->on_backend(std::move(backend));
    owner_.exchange_stepped();
  }
  void on_no_backend(const BackendPool::Failure& failure) override {
    exchange_->on_no_backend(failure);
    owner_.exchange_stepped();
  }
  void on_data(std::span<const char> bytes) override {
    exchange_->on_data(bytes);
    owner_.exchange_stepped();
  }
  void on_end() override {
    exchange_->on_end();
    owner_.exchange_stepped();
  }
  void on_lost(int status) override {
    exchange_->on_lost(status);
    owner_.exchange_stepped();
  }
  void on_drained() override {
    exchange_->on_drained();
    owner_.exchange_stepped();
  }
  void on_deadline(loop::Deadline& deadline) override {
    exchange_->on_deadline(deadline);
    owner_.exchange_stepped();
  }

  Exchange* exchange_ = nullptr;
  Owner& owner_;
};

}  // namespace probegate::proxy
