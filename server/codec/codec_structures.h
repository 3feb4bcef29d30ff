/* The structures of a request in JSON, read in one pass into the arrays of its items.
 *
 * Keys come in any order. Of several faults of a structure the one is told whose key comes first in
 * the order id, numbers, positions, cell, pbc, velocities, masses, fixed, wherever they stand in
 * the text. The last three are known where limits->motion is set. */
#ifndef SERVER_CODEC_CODEC_STRUCTURES_H
#define SERVER_CODEC_CODEC_STRUCTURES_H

#include "server/codec/codec_reader.h"
#include "server/codec/request.h"

#include <stdbool.h>
#include <stddef.h>

/* Reads the value that comes next, the member structures of a body, into the items of a request.
 * What is wrong with one structure becomes its item's problem, what is wrong with all of them is
 * set in *fault. false: there is no memory. Without a fault, and when the reader has none either,
 * each item has a structure or a problem. Thread-safe on distinct requests. */
bool codec_structures_read(struct json_reader *reader, const struct codec_limits *limits,
                           struct request *request, struct codec_fault *fault);

#endif
