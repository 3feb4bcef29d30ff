#include "core/dynamics/md_options.h"

#include "core/base/sized.h"

#include <math.h>

#define TEMPERATURE_MAX 1e6
#define PRESSURE_MAX 1e6
#define FRICTION_MAX 1e6
#define TIME_MAX 1e9
#define COMPRESSIBILITY_MAX 1e6
#define MOVE_MAX 1e3
#define DEGREES_MAX 1e12

#define FRICTION_USUAL 1.0
#define COMPRESSIBILITY_USUAL 0.01
#define MOVE_USUAL 2.0
#define CHAIN_USUAL 3

/* Chains turn within their time, which the timestep has to resolve. */
#define CHAIN_TIMESTEPS_MIN 5

static enum irrep_status bad(struct irrep_error *error, const char *field, const char *why) {
  return irrep_fail(error, IRREP_BAD_ARGUMENT, field, "%s", why);
}

static enum irrep_status in_range(const char *field, double x, double min, double max,
                                  struct irrep_error *error) {
  if (x >= min && x <= max)
    return IRREP_OK;
  return irrep_fail(error, IRREP_BAD_ARGUMENT, field, "%s must be %g to %g; this one is %g", field,
                    min, max, x);
}

static enum irrep_status check_kinds(const struct irrep_md_options *o, struct irrep_error *error) {
  if ((unsigned)o->ensemble > IRREP_MD_NPT)
    return bad(error, "ensemble", "no ensemble has this number");
  if ((unsigned)o->thermostat > IRREP_MD_THERMOSTAT_NOSE_HOOVER)
    return bad(error, "thermostat", "no thermostat has this number");
  if ((unsigned)o->barostat > IRREP_MD_BAROSTAT_MTK)
    return bad(error, "barostat", "no barostat has this number");
  if ((unsigned)o->coupling > IRREP_MD_TRICLINIC)
    return bad(error, "coupling", "no coupling has this number");
  if ((unsigned)o->drift > IRREP_MD_DRIFT_KEEP)
    return bad(error, "drift", "no treatment of drift has this number");
  return IRREP_OK;
}

static enum irrep_status check_ranges(const struct irrep_md_options *o, struct irrep_error *error) {
  enum irrep_status status = IRREP_OK;
  if (!(o->timestep > 0 && o->timestep <= IRREP_MD_TIMESTEP_MAX))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "timestep",
                      "timestep must be above 0 and at most %g fs; this one is %g",
                      IRREP_MD_TIMESTEP_MAX, o->timestep);
  if (o->n_steps > IRREP_MD_STEPS_MAX)
    return bad(error, "n_steps", "a trajectory has at most 2^40 steps");
  status = in_range("temperature", o->temperature, 0, TEMPERATURE_MAX, error);
  if (status == IRREP_OK)
    status = in_range("temperature_end", o->temperature_end, 0, o->has_ramp ? TEMPERATURE_MAX : 0,
                      error);
  if (status == IRREP_OK)
    status = in_range("pressure", o->pressure, -PRESSURE_MAX, PRESSURE_MAX, error);
  if (status == IRREP_OK)
    status = in_range("friction", o->friction, 0, FRICTION_MAX, error);
  if (status == IRREP_OK)
    status = in_range("thermostat_time", o->thermostat_time, 0, TIME_MAX, error);
  if (status == IRREP_OK)
    status = in_range("barostat_time", o->barostat_time, 0, TIME_MAX, error);
  if (status == IRREP_OK)
    status = in_range("compressibility", o->compressibility, 0, COMPRESSIBILITY_MAX, error);
  if (status == IRREP_OK)
    status = in_range("move_max", o->move_max, 0, MOVE_MAX, error);
  if (status == IRREP_OK && o->degrees_of_freedom > DEGREES_MAX)
    status = in_range("degrees_of_freedom", (double)o->degrees_of_freedom, 0, DEGREES_MAX, error);
  if (status == IRREP_OK && o->chain_length > IRREP_MD_CHAIN_MAX)
    status = in_range("chain_length", o->chain_length, 1, IRREP_MD_CHAIN_MAX, error);
  return status;
}

/* What an ensemble does not have must not be asked of it. */
static enum irrep_status check_ensemble(const struct irrep_md_options *o,
                                        struct irrep_error *error) {
  const bool has_thermostat = o->ensemble != IRREP_MD_NVE,
             has_barostat = o->ensemble == IRREP_MD_NPT;
  if (!has_thermostat && o->thermostat != IRREP_MD_THERMOSTAT_USUAL)
    return bad(error, "thermostat", "the ensemble nve has no thermostat; nvt and npt have one");
  if (!has_thermostat && o->has_ramp)
    return bad(error, "has_ramp", "the ensemble nve follows no temperatures; nvt and npt do");
  if (!has_barostat && o->barostat != IRREP_MD_BAROSTAT_USUAL)
    return bad(error, "barostat", "only the ensemble npt has a barostat");
  if (!has_barostat && o->coupling != IRREP_MD_ISOTROPIC)
    return bad(error, "coupling", "only the ensemble npt couples the cell to a pressure");
  if (!has_barostat && o->pressure != 0)
    return bad(error, "pressure", "only the ensemble npt has a pressure");
  if (!has_barostat && o->barostat_time != 0)
    return bad(error, "barostat_time", "only the ensemble npt has a barostat");
  return IRREP_OK;
}

static enum irrep_status check_thermostat(const struct irrep_md_options *o,
                                          struct irrep_error *error) {
  const bool is_langevin = o->thermostat == IRREP_MD_THERMOSTAT_LANGEVIN;
  const bool is_chain = o->thermostat == IRREP_MD_THERMOSTAT_NOSE_HOOVER;
  const bool is_csvr = o->thermostat == IRREP_MD_THERMOSTAT_CSVR;
  const bool is_rescale = o->barostat == IRREP_MD_BAROSTAT_C_RESCALE;
  if (!is_langevin && o->friction != 0)
    return bad(error, "friction", "only the thermostat langevin has a friction");
  if (!is_csvr && !is_chain && o->thermostat_time != 0)
    return bad(error, "thermostat_time",
               "only the thermostats csvr and nose-hoover have a time; langevin has a friction");
  if (!is_chain && o->chain_length != 0)
    return bad(error, "chain_length", "only the thermostat nose-hoover has a chain");
  if (!is_rescale && o->compressibility != 0)
    return bad(error, "compressibility", "only the barostat c-rescale has a compressibility");
  if (o->barostat == IRREP_MD_BAROSTAT_MTK && !is_chain)
    return bad(error, "thermostat", "the barostat mtk goes with the thermostat nose-hoover alone");
  if (is_chain && !(o->temperature > 0 && (!o->has_ramp || o->temperature_end > 0)))
    return bad(error, "temperature", "the thermostat nose-hoover needs temperatures above 0 K");
  return IRREP_OK;
}

/* The thermostat and the barostat that the ensemble has, and none where it has none. */
static void complete_kinds(struct irrep_md_options *o) {
  if (o->ensemble == IRREP_MD_NPT && o->barostat == IRREP_MD_BAROSTAT_USUAL)
    o->barostat = IRREP_MD_BAROSTAT_C_RESCALE;
  if (o->ensemble != IRREP_MD_NVE && o->thermostat == IRREP_MD_THERMOSTAT_USUAL)
    o->thermostat = o->barostat == IRREP_MD_BAROSTAT_MTK ? IRREP_MD_THERMOSTAT_NOSE_HOOVER
                                                         : IRREP_MD_THERMOSTAT_LANGEVIN;
}

static void complete_numbers(struct irrep_md_options *o) {
  const bool is_chain = o->thermostat == IRREP_MD_THERMOSTAT_NOSE_HOOVER;
  if (o->thermostat == IRREP_MD_THERMOSTAT_LANGEVIN && o->friction == 0)
    o->friction = FRICTION_USUAL;
  if ((is_chain || o->thermostat == IRREP_MD_THERMOSTAT_CSVR) && o->thermostat_time == 0)
    o->thermostat_time = 100 * o->timestep;
  if (is_chain && o->chain_length == 0)
    o->chain_length = CHAIN_USUAL;
  if (o->ensemble == IRREP_MD_NPT && o->barostat_time == 0)
    o->barostat_time = 1000 * o->timestep;
  if (o->barostat == IRREP_MD_BAROSTAT_C_RESCALE && o->compressibility == 0)
    o->compressibility = COMPRESSIBILITY_USUAL;
  if (o->move_max == 0)
    o->move_max = MOVE_USUAL;
}

static enum irrep_status check_times(const struct irrep_md_options *o, struct irrep_error *error) {
  const double chain_min = CHAIN_TIMESTEPS_MIN * o->timestep;
  if (o->thermostat == IRREP_MD_THERMOSTAT_NOSE_HOOVER && o->thermostat_time < chain_min)
    return bad(error, "thermostat_time",
               "the time of the thermostat nose-hoover must be 5 timesteps at least");
  if (o->barostat == IRREP_MD_BAROSTAT_MTK && o->barostat_time < chain_min)
    return bad(error, "barostat_time", "the time of the barostat mtk must be 5 timesteps at least");
  if (o->barostat == IRREP_MD_BAROSTAT_C_RESCALE && o->barostat_time < o->timestep)
    return bad(error, "barostat_time",
               "the time of the barostat c-rescale must be a timestep at least");
  return IRREP_OK;
}

enum irrep_status md_options_read(const struct irrep_md_options *theirs,
                                  struct irrep_md_options *options, struct irrep_error *error) {
  if (!sized_read(SIZED_MD_OPTIONS, theirs, options))
    return sized_fail(error, "irrep_md_options", "IRREP_MD_OPTIONS_INIT");
  enum irrep_status status = check_kinds(options, error);
  if (status == IRREP_OK)
    status = check_ranges(options, error);
  if (status == IRREP_OK)
    status = check_ensemble(options, error);
  if (status != IRREP_OK)
    return status;
  complete_kinds(options);
  status = check_thermostat(options, error);
  if (status != IRREP_OK)
    return status;
  complete_numbers(options);
  return check_times(options, error);
}
