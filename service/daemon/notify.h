/* notify.h - reports our state to the service manager (sd_notify(3)), without libsystemd. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/* Sends `state`, for example "READY=1", to $NOTIFY_SOCKET; does nothing if it is unset or fails. */
void notify_send(const char *state);

/* Sends "RELOADING=1" with the time stamp that systemd requires; send READY=1 when the reload is
 * over. */
void notify_reloading(void);

#endif
