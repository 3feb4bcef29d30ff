/* Symbols of the elements. */
#ifndef SERVER_BASE_ELEMENTS_H
#define SERVER_BASE_ELEMENTS_H

#include <stddef.h>
#include <stdint.h>

/* "Si" for 14; "X" outside 1 to IRREP_NUMBER_MAX. Thread-safe. */
const char *element_symbol(int32_t number);

/* 14 for "Si", of which [length] bytes are looked at; 0 when it is no symbol. Thread-safe. */
int32_t element_number(const char *symbol, size_t length);

#endif
