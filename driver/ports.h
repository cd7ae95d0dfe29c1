/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_PORTS_H
#define GNTDEV_PORTS_H

#include <linux/types.h>
#include <linux/xarray.h>

/*
 * How often this domain was restored, as one that another host or another number of this host's
 * goes on with. Ports are numbered anew then. Changes while all processes are frozen.
 */
extern unsigned int gntdev_ports_life;

/**
 * struct gntdev_ports - the event channel ports that an instance's notifications name
 * @port:   one of them
 * @irq:    its interrupt in this kernel, by which it is known when the port is gone
 * @users:  how many notifications name it; 0 if there is no such port
 * @life:   gntdev_ports_life, as of all ports here
 * @others: further ports, each with its interrupt and how many name it
 *
 * Under the lock of the instance.
 */
struct gntdev_ports {
	u32 port;
	int irq;
	unsigned int users;
	unsigned int life;
	struct xarray others;
};

void gntdev_ports_init(struct gntdev_ports *ports);
void gntdev_ports_free(struct gntdev_ports *ports);
int gntdev_port_get(struct gntdev_ports *ports, u32 port);
bool gntdev_port_put(struct gntdev_ports *ports, u32 port);

#endif
