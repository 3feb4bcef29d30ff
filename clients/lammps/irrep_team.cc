// SPDX-License-Identifier: GPL-2.0-only
#include "irrep_team.h"

#include <cstdlib>
#include <irrep/conventions.h>
#include <new>

IrrepTeam::~IrrepTeam() {
  stop();
}

void IrrepTeam::stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_over_ = true;
  }
  begun_.notify_all();
  for (std::thread &helper : helpers_)
    helper.join();
  helpers_.clear();
  for (void *block : scratch_)
    std::free(block);
  scratch_.clear();
  scratch_bytes_ = 0;
  is_over_ = false;
  round_ = 0;
}

void IrrepTeam::resize(size_t n) {
  stop();
  helpers_.reserve(n - 1);
  for (size_t thread = 1; thread < n; thread++)
    helpers_.emplace_back(&IrrepTeam::help, this, thread);
}

const struct irrep_team *IrrepTeam::prepare(size_t helper_bytes) {
  if (helpers_.empty())
    return nullptr;
  if (scratch_bytes_ < helper_bytes) {
    for (void *block : scratch_)
      std::free(block);
    scratch_.assign(helpers_.size(), nullptr);
    scratch_bytes_ = 0;
    const size_t rounded = (helper_bytes + IRREP_ALIGNMENT - 1) / IRREP_ALIGNMENT * IRREP_ALIGNMENT;
    for (void *&block : scratch_)
      if (!(block = std::aligned_alloc(IRREP_ALIGNMENT, rounded)))
        throw std::bad_alloc();
    scratch_bytes_ = helper_bytes;
  }
  team_.n_helpers = helpers_.size();
  team_.scratch = scratch_.data();
  team_.context = this;
  team_.run = &IrrepTeam::run;
  return &team_;
}

void IrrepTeam::run(void *context, void (*task)(void *, size_t, size_t), void *task_context,
                    size_t n_tasks) {
  IrrepTeam &team = *static_cast<IrrepTeam *>(context);
  {
    const std::lock_guard<std::mutex> lock(team.mutex_);
    team.task_ = task;
    team.task_context_ = task_context;
    team.n_tasks_ = n_tasks;
    team.next_ = 0;
    team.n_working_ = team.helpers_.size();
    team.round_++;
  }
  team.begun_.notify_all();
  team.work(0);
  std::unique_lock<std::mutex> lock(team.mutex_);
  team.ended_.wait(lock, [&team] { return team.n_working_ == 0; });
}

void IrrepTeam::work(size_t thread) {
  for (size_t i = next_++; i < n_tasks_; i = next_++)
    task_(task_context_, thread, i);
}

void IrrepTeam::help(size_t thread) {
  size_t done = 0;
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    begun_.wait(lock, [&] { return is_over_ || round_ != done; });
    if (is_over_)
      return;
    done = round_;
    lock.unlock();
    work(thread);
    lock.lock();
    if (--n_working_ == 0)
      ended_.notify_one();
  }
}
