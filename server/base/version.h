/* The version that --version, /v1/status and build_info give. */
#ifndef SERVER_BASE_VERSION_H
#define SERVER_BASE_VERSION_H

#define IRREPD_VERSION "0.1.0"

#endif
