/* notify.h - tells the service manager how we are (sd_notify(3)), without its library. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/* Sends `state`, "READY=1", to $NOTIFY_SOCKET; nothing when there is none or it doesn't listen. */
void notify_send(const char *state);

/* "RELOADING=1" with the time that systemd asks for; READY=1 follows when the reload is over. */
void notify_reloading(void);

#endif
