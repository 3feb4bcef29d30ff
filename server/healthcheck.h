/* `irrepd --healthcheck URL`: the question that containers and service managers put to a daemon
 * that runs, without curl in the image. */
#ifndef SERVER_HEALTHCHECK_H
#define SERVER_HEALTHCHECK_H

#define HEALTHCHECK_TIMEOUT_MS 4000

/* GETs http://HOST:PORT/PATH, https (whosever the certificate is), or of unix:PATH (the socket's
 * file); where no path is asked for, /v1/health/ready. Returns the exit status: 0 after an answer
 * of 200 within timeout_ms (the lookup of a name not counted), 1 otherwise, with one line on stderr
 * that says why. Blocks. */
int healthcheck_run(const char *url, int timeout_ms);

#endif
