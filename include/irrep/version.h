/* The version of irrep: of these headers by the macros, of the library that a program runs with by
 * the function. The file VERSION of the project says it; tools/version.py writes it here.
 *
 * Programs that were compiled with the headers of one version run with the library of any later
 * one of the same major version: see "Versions" in conventions.h. */
#ifndef IRREP_VERSION_H
#define IRREP_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

#define IRREP_VERSION_MAJOR 0
#define IRREP_VERSION_MINOR 1
#define IRREP_VERSION_PATCH 0
#define IRREP_VERSION "0.1.0"

/* Returns the library's version, e.g. "0.1.0": static text, never NULL. Thread-safe. */
const char *irrep_version(void);

#ifdef __cplusplus
}
#endif

#endif
