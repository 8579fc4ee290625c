/* SPDX-License-Identifier: GPL-2.0 */
/* A cgroup of its own for a process, and what is accounted to it. */
#ifndef RAIO_CGROUP_H
#define RAIO_CGROUP_H

struct cgroup {
	char path[64];
};

/* Skips the test where it can't have one, with that controller if it is not NULL. */
void cgroup_make(struct cgroup *group, const char *controller);
/* Writes to one of its files. */
void cgroup_set(const struct cgroup *group, const char *file, const char *value);
/* The calling process goes there, or to the root. */
void cgroup_enter(const struct cgroup *group);
void cgroup_leave(void);
/* The figure behind the key of a flat file, or the file's only one. */
long long cgroup_figure(const struct cgroup *group, const char *file, const char *key);
/* When all its processes are dead. */
void cgroup_remove(const struct cgroup *group);

#endif /* RAIO_CGROUP_H */
