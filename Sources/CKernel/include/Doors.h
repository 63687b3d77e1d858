// Listening sockets that take no new clients for a while.
#pragma once

// Whether SYNs are dropped unanswered: 0, or an errno. Handshakes that are under way go on.
int sluice_hold_newcomers(int fd, int hold);
