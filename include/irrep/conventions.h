/* Units, orders and signs that every header and kernel of irrep follows. Nothing here is
 * configurable.
 *
 * Units: lengths in Angstrom, energies in eV, forces in eV/Angstrom, stresses in eV/Angstrom^3.
 *
 * Edges: an edge carries a message from its sender to its receiver. Its vector points from the
 * sender to the receiver: vector = positions[receiver] - positions[sender] + shift . cell with
 * integer shifts and cell rows as lattice vectors (the convention of MACE). NequIP and SevenNet
 * point the other way; their builder multiplies each path of harmonic degree l by (-1)^l.
 *
 * Irreps: "128x0e+64x1e+32x2e" lists multiplicity (channels), degree l and parity (e even, o odd).
 *
 * Feature layout: an atom's features are one row of reals. Each entry of the irreps takes (2l+1) *
 * mul_padded reals, m outside and channels innermost and contiguous: element (m, channel) lies at m
 * * mul_padded + channel. mul_padded is the multiplicity rounded up to IRREP_LANES; what lies in
 * the padding is finite, and weights for it are zero.
 *
 * Order of m: that of e3nn. Inside l the components run m = -l..l of the real harmonics about the y
 * axis, so l = 1 is (x, y, z). Harmonic (l, m) has the index l*l + l + m.
 *
 * Spherical harmonics: real, of the unit direction, 'component' normalised: sum over m of Y_lm^2 =
 * 2l+1.
 *
 * Wigner 3j: real, e3nn's sign, sum of squares 1. Coupling coefficients of a path (l1, l2, l3) are
 * sqrt(2*l3+1) times the 3j ('component' normalisation of e3nn tensor products).
 *
 * Stress: dE/dstrain / volume, symmetric, tension positive (ASE). Virial: -dE/dstrain.
 *
 * Versions: a struct that a caller fills begins with struct_size, its sizeof where the caller was
 * compiled; IRREP_..._INIT sets it, and the rest to zero. Later versions add fields at the end of a
 * struct and change no others, so that a program and the library may have different versions of it:
 *   - what a shorter struct of an older program lacks counts as zero, which means what that
 *     program's version did;
 *   - a longer struct of a newer program is accepted where everything is zero that the library does
 *     not know, and refused as BAD_ARGUMENT otherwise;
 *   - a struct_size below that of the first version that had the struct, such as 0, is refused as
 *     BAD_ARGUMENT.
 * The elements of an array of such structs have one struct_size and lie that far apart, as a
 * compiler lays them. The library reads and writes no byte beyond struct_size. */
#ifndef IRREP_CONVENTIONS_H
#define IRREP_CONVENTIONS_H

/* Highest degree of harmonics and features. */
#define IRREP_L_MAX 6

/* Channels are padded to a multiple of this in features, filters and weights: 64 bytes of float. */
#define IRREP_LANES 16

/* Alignment in bytes of arenas and of every array inside. */
#define IRREP_ALIGNMENT 64

/* Positions and cell entries beyond this size in Angstrom are refused as IRREP_NOT_FINITE. */
#define IRREP_LENGTH_MAX 1e6

/* Pairs of atoms closer than this in Angstrom are refused as IRREP_ATOMS_OVERLAP. */
#define IRREP_DISTANCE_MIN 0.1

/* Helpers of a team at most. */
#define IRREP_HELPERS_MAX 63

/* Highest atomic number. */
#define IRREP_NUMBER_MAX 118

#endif
