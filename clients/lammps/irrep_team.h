// Threads that help one rank with an evaluation (struct irrep_team of irrep/model.h).
// SPDX-License-Identifier: GPL-2.0-only
#ifndef CLIENTS_LAMMPS_IRREP_TEAM_H
#define CLIENTS_LAMMPS_IRREP_TEAM_H

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <irrep/model.h>
#include <mutex>
#include <thread>
#include <vector>

class IrrepTeam {
public:
  IrrepTeam() = default;
  IrrepTeam(const IrrepTeam &) = delete;
  IrrepTeam &operator=(const IrrepTeam &) = delete;
  ~IrrepTeam();

  // Starts n - 1 helpers in place of those that there are. Throws std::system_error where there are
  // no threads.
  void resize(size_t n);

  // The team with scratch of so many bytes for each helper; NULL for one thread. Throws
  // std::bad_alloc.
  const struct irrep_team *prepare(size_t helper_bytes);

private:
  static void run(void *context, void (*task)(void *, size_t, size_t), void *task_context,
                  size_t n_tasks);
  void help(size_t thread);
  void work(size_t thread);
  void stop();

  std::vector<std::thread> helpers_;
  std::vector<void *> scratch_;
  size_t scratch_bytes_ = 0;
  struct irrep_team team_ = IRREP_TEAM_INIT;

  std::mutex mutex_;
  std::condition_variable begun_, ended_;
  size_t round_ = 0, n_working_ = 0;
  bool is_over_ = false;

  void (*task_)(void *, size_t, size_t) = nullptr;
  void *task_context_ = nullptr;
  size_t n_tasks_ = 0;
  std::atomic<size_t> next_{0};
};

#endif
