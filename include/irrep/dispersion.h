/* London dispersion by DFT-D3, added to what a model gives: energy, forces, virial, atomic parts.
 *
 *   irrep_dispersion_load      reads the reference data, once
 *   irrep_functional_find      the published parameters of a functional
 *   irrep_dispersion_term      makes a term (term.h), which evaluations of any model add
 *   irrep_dispersion_evaluate  dispersion by itself
 *   irrep_dispersion_evaluate_part  likewise, of one process's part of a structure
 *
 * The energy, in hartree and bohr, is
 *
 *   E = - sum over pairs of  s6 C6 f6(r) / r^6 + s8 C8 f8(r) / r^8,     C8 = 3 C6 q_i q_j
 *
 * and, where wanted, the Axilrod-Teller-Muto term of triples. C6 depends on both atoms'
 * coordination numbers. Becke-Johnson damping: f_n / r^n = 1 / (r^n + (a1 sqrt(C8 / C6) + a2)^n);
 * S. Grimme, S. Ehrlich and L. Goerigk, J. Comput. Chem. 32, 1456 (2011), eq. 4 to 7. Zero damping:
 * f_n = 1 / (1 + 6 (rs_n r0 / r)^alpha_n), alpha_6 = 14 and alpha_8 = 16; S. Grimme, J. Antony,
 * S. Ehrlich and H. Krieg, J. Chem. Phys. 132, 154104 (2010), eq. 3, 4, 14 to 16, and 11 to 13 for
 * triples, which have zero damping in either case.
 *
 * Everything is computed in double. The reference data are those of 2010 for the elements 1 to 94;
 * simple-dftd3 has newer ones for 87 (francium) and beyond. Bohr and hartree are those of
 * ase.units: 0.5291772105638411 Angstrom and 27.211386024367243 eV. */
#ifndef IRREP_DISPERSION_H
#define IRREP_DISPERSION_H

#include "irrep/model.h"
#include "irrep/result.h"
#include "irrep/status.h"
#include "irrep/structure.h"
#include "irrep/term.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IRREP_BOHR 0.5291772105638411    /* Angstrom */
#define IRREP_HARTREE 27.211386024367243 /* eV */

/* Cutoffs beyond this are refused, Angstrom. */
#define IRREP_DISPERSION_CUTOFF_MAX 100.0

/* Opaque: the reference data. It stays the same from loading to irrep_dispersion_free. */
struct irrep_dispersion;

/* The form of the damping. */
enum irrep_damping { IRREP_D3BJ, IRREP_D3ZERO };

/* The parameters of a damping for a functional. */
struct irrep_damping_parameters {
  double s6, s8; /* scale of the two parts */
  double a, b;   /* D3BJ: a1, and a2 in bohr; D3ZERO: rs6 and rs8 */
};

/* How to compute. */
struct irrep_dispersion_options {
  size_t struct_size; /* sizeof(struct irrep_dispersion_options); see "Versions" in conventions.h */
  enum irrep_damping damping;
  struct irrep_damping_parameters parameters;
  double cutoff;    /* of pairs, Angstrom */
  double cn_cutoff; /* of coordination numbers, Angstrom */
  double width;     /* Angstrom, less than each cutoff: on this last stretch everything that is cut
                       off goes smoothly to zero, by 10 x^3 - 15 x^4 + 6 x^5; 0: it ends at once, as
                       in other codes by default, and the energy jumps as pairs come and go */
  bool three_body;  /* adds the term of triples */
  double three_body_cutoff; /* of each distance in a triple, Angstrom; read where three_body */
};

/* PBE by Becke and Johnson, 40 bohr (21.167 Angstrom) everywhere, as MACE has it. */
#define IRREP_DISPERSION_OPTIONS_INIT                                                              \
  {                                                                                                \
    sizeof(struct irrep_dispersion_options), IRREP_D3BJ, {1.0, 0.7875, 0.4289, 4.4407},            \
        40 * IRREP_BOHR, 40 * IRREP_BOHR, 0.0, false, 40 * IRREP_BOHR,                             \
  }

/* Published parameters. */
struct irrep_functional {
  const char *name; /* "pbe": small letters, digits and dots */
  enum irrep_damping damping;
  struct irrep_damping_parameters parameters;
  const char *doi; /* of the paper; "" where they are in none but on their authors' pages */
};

/* The entry of an index; NULL behind the last one. Sorted by name. Static data; thread-safe. */
const struct irrep_functional *irrep_functional_at(size_t index);

/* The entry of a functional [size], which need not end in NUL: capitals count as small letters, and
 * '-', '_' and blanks do not count. NULL where there is none for this damping. Thread-safe. */
const struct irrep_functional *irrep_functional_find(enum irrep_damping damping, const char *name,
                                                     size_t size);

/* Reads the reference data from the bytes of dftd3.params.safetensors, which `make models` writes.
 *
 *   bytes  [n_bytes]; the caller may free them when the call returns
 *   data   set to what the caller owns (irrep_dispersion_free), or to NULL on failure
 *
 * OK; BAD_MODEL_FILE: the file is damaged; UNSUPPORTED_MODEL: it is of another kind; NO_MEMORY.
 * Thread-safe. */
enum irrep_status irrep_dispersion_load(const void *bytes, size_t n_bytes,
                                        struct irrep_dispersion **data, struct irrep_error *error);

/* Frees the data; NULL is allowed. The caller makes sure that no call on them is under way. */
void irrep_dispersion_free(struct irrep_dispersion *data);

/* Checks options by themselves. OK; BAD_ARGUMENT: a number that is negative, not finite or too
 * large, a width that is not below each cutoff; error->field names it. Thread-safe. */
enum irrep_status irrep_dispersion_check(const struct irrep_dispersion_options *options,
                                         struct irrep_error *error);

/* Whether there are reference data for every atom. OK; UNKNOWN_ELEMENT: error->field names the
 * first without, e.g. "numbers/3". Thread-safe. */
enum irrep_status irrep_dispersion_elements(const struct irrep_dispersion *data,
                                            const int32_t *numbers, size_t n_atoms,
                                            struct irrep_error *error);

/* Makes a term, which takes a structure and not a graph.
 *
 *   data  outlive the term
 *   term  set to what the caller owns (irrep_term_free), or to NULL on failure
 *
 * A structure is refused as UNKNOWN_ELEMENT where there are no data for one of its elements, and as
 * TOO_LARGE where an atom has so many others within the cutoffs that it would take too long (for
 * triples: more than 8192). OK; BAD_ARGUMENT as irrep_dispersion_check; NO_MEMORY. Thread-safe. */
enum irrep_status irrep_dispersion_term(const struct irrep_dispersion *data,
                                        const struct irrep_dispersion_options *options,
                                        struct irrep_term **term, struct irrep_error *error);

/* Computes the dispersion of a structure by itself.
 *
 *   structure  no two of its atoms are closer than IRREP_DISTANCE_MIN, which is not checked
 *   evaluate   its team, profile and cancelling count, as in irrep_model_evaluate; nothing else
 *   arena      [arena_bytes] aligned to IRREP_ALIGNMENT; irrep_term_bytes
 *   result     as in irrep_model_evaluate; n_edges is 0
 *
 * OK: the result is written, its status is OK, RESULT_NOT_FINITE, or says why the structure was
 * refused; BAD_ARGUMENT: an arena, an option, a struct_size, or a term of another kind; NO_MEMORY;
 * CANCELLED. The numbers have the same bits for any number of threads. Nothing is allocated or
 * locked. Thread-safe on distinct arenas and results. */
enum irrep_status irrep_dispersion_evaluate(const struct irrep_term *term,
                                            const struct irrep_evaluate_options *evaluate,
                                            const struct irrep_structure *structure, void *arena,
                                            size_t arena_bytes, struct irrep_result *result,
                                            struct irrep_error *error);

/* Computes the dispersion of the atoms that one process has of a structure (graph.h, "Ghosts").
 * Coordination numbers and the energy's derivatives by them are exchanged.
 *
 *   structure  [n_atoms] local atoms and, behind them, the ghosts: every atom and periodic image
 * that is within the cutoffs of a local atom. Axes are open. There may be no atoms at all n_local
 * the first atoms, whose energy is wanted evaluate   its exchange counts, too, and is needed where
 * there are ghosts: rows of one double, forward, once, and once more where forces or stresses are
 * wanted result     energies [n_local], forces [n_atoms][3] and stresses [n_atoms][3][3] (eV),
 * which are zero for ghosts; what all processes have adds up to the whole's. No stress
 *
 * For the rest, see irrep_dispersion_evaluate. BAD_ARGUMENT also for a periodic axis, n_local above
 * n_atoms, and ghosts without an exchange. Of the structure the call itself returns
 * UNKNOWN_ELEMENT, NOT_FINITE and so on, with error->field; nothing has been exchanged then. */
enum irrep_status irrep_dispersion_evaluate_part(const struct irrep_term *term,
                                                 const struct irrep_evaluate_options *evaluate,
                                                 const struct irrep_structure *structure,
                                                 size_t n_local, void *arena, size_t arena_bytes,
                                                 struct irrep_result *result,
                                                 struct irrep_error *error);

#ifdef __cplusplus
}
#endif

#endif
