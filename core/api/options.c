#include "core/api/options.h"

#include "core/base/sized.h"
#include "irrep/conventions.h"

bool options_is_precision(enum irrep_precision precision) {
  return precision == IRREP_FLOAT32 || precision == IRREP_FLOAT64;
}

static enum irrep_status read_team(const struct irrep_team *theirs, struct irrep_team *team,
                                   struct irrep_error *error) {
  if (!sized_read(SIZED_TEAM, theirs, team))
    return sized_fail(error, "irrep_team", "IRREP_TEAM_INIT");
  if (team->n_helpers > IRREP_HELPERS_MAX)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "team", "a team has at most %d helpers",
                      IRREP_HELPERS_MAX);
  if (team->n_helpers > 0 && (!team->run || !team->scratch))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "team", "helpers need run and scratch");
  return IRREP_OK;
}

static enum irrep_status read_profile(const struct irrep_profile *theirs,
                                      struct irrep_profile *profile, struct irrep_error *error) {
  if (!sized_read(SIZED_PROFILE, theirs, profile))
    return sized_fail(error, "irrep_profile", "IRREP_PROFILE_INIT");
  if (!profile->note)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "profile", "a profile needs note");
  return IRREP_OK;
}

static enum irrep_status read_exchange(const struct irrep_exchange *theirs,
                                       struct irrep_exchange *exchange, struct irrep_error *error) {
  if (!sized_read(SIZED_EXCHANGE, theirs, exchange))
    return sized_fail(error, "irrep_exchange", "IRREP_EXCHANGE_INIT");
  if (!exchange->rows)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "exchange", "an exchange needs rows");
  return IRREP_OK;
}

enum irrep_status options_read(const struct irrep_evaluate_options *theirs, struct options *options,
                               struct irrep_error *error) {
  struct irrep_evaluate_options *given = &options->given;
  enum irrep_status status = IRREP_OK;
  if (!sized_read(SIZED_OPTIONS, theirs, given))
    return sized_fail(error, "irrep_evaluate_options", "IRREP_EVALUATE_OPTIONS_INIT");
  if (!options_is_precision(given->precision))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "precision", "no precision has the number %d",
                      (int)given->precision);
  if (given->team) {
    status = read_team(given->team, &options->team, error);
    given->team = &options->team;
  }
  if (given->profile && status == IRREP_OK) {
    status = read_profile(given->profile, &options->profile, error);
    given->profile = &options->profile;
  }
  if (given->exchange && status == IRREP_OK) {
    status = read_exchange(given->exchange, &options->exchange, error);
    given->exchange = &options->exchange;
  }
  options->cancelling = (struct cancelling){given->cancelled, given->cancel_context};
  return status;
}

struct crew options_crew(const struct options *options) {
  return (struct crew){.team = options->given.team,
                       .profile = options->given.profile,
                       .exchange = options->given.exchange,
                       .cancelling = options->cancelling.cancelled ? &options->cancelling : NULL};
}
