// Kernel: Linux system calls with typed arguments and errors.
//
// Role: sockets, epoll, eventfd, threads, clocks, with typed errors. Boundary: few
// calls each, no policy, no loop (that is its owner's, made of the Reactor's parts).
// A socket is a plain number: whoever has it in a slab closes it. Absent on purpose:
// Foundation, blocking wrappers, signals (the command line's).
