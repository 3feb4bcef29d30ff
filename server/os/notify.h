/* What the service manager is told: systemd's notification protocol (sd_notify(3)), a datagram to
 * the socket that NOTIFY_SOCKET names. Without that variable nothing happens. */
#ifndef SERVER_OS_NOTIFY_H
#define SERVER_OS_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Sends a state such as "READY=1". Returns whether it was sent. */
bool notify_send(const char *state);

/* RELOADING=1 with the time that systemd wants beside it. */
bool notify_reloading(void);

/* How often "WATCHDOG=1" is to be sent, in milliseconds: half of what WATCHDOG_USEC allows; 0 when
 * nobody watches this process. */
uint64_t notify_watchdog_ms(void);

#endif
