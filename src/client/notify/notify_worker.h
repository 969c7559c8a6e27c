/* notify_worker - what the files of `worker notify` share */
#ifndef CLIENT_NOTIFY_NOTIFY_WORKER_H
#define CLIENT_NOTIFY_NOTIFY_WORKER_H

/*
 * Send the message of NOTIFY_MESSAGE to the webhook of NOTIFY_RECEIVER, both from the
 * environment. Returns what main() should; the last line of stderr says why it failed.
 */
int notify_post(void);

#endif
