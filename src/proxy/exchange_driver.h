// ExchangeDriver: hands an exchange its events and then lets its owner look, so that nothing of an exchange
// is on the stack when its outcome is taken and it is destroyed.
//
// Owned by whoever runs exchanges one after another, and outlives each of them. Thread: its data loop's.
#pragma once

#include "proxy/exchange.h"

namespace probegate::proxy {

class ExchangeDriver final : public Exchange::Events {
 public:
  class Owner {
   public:
    // An event has been handed in. The exchange may be destroyed inside.
    virtual void exchange_stepped() = 0;

   protected:
    ~Owner() = default;
  };

  explicit ExchangeDriver(Owner& owner) : owner_(owner) {}

  // The one whose events come; none after an outcome.
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
