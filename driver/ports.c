// SPDX-License-Identifier: GPL-2.0
/*
 * The event channel ports that notifications name.
 *
 * A port is kept open as long as a notification names it. The event channel driver counts its users
 * in a short, so an instance takes one reference to a port and counts the rest itself.
 *
 * When a domain was restored the ports from before are no more, and their numbers may be others'.
 * So they are dropped without being notified or closed. What the kernel still has of such a port is
 * an interrupt that leads nowhere, and our reference to it, which can no longer be given back by
 * evtchn_put(). It can by unbind_from_irqhandler(), if we are the last that has it.
 */

#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/interrupt.h>

#include <xen/events.h>

#include "ports.h"

unsigned int gntdev_ports_life;

#define OTHER_USERS	GENMASK_ULL(30, 0)
#define OTHER_IRQ	GENMASK_ULL(61, 31)

static void *other_entry(int irq, unsigned long users)
{
	return xa_mk_value(FIELD_PREP(OTHER_USERS, users) | FIELD_PREP(OTHER_IRQ, irq));
}

static unsigned long other_users(void *entry)
{
	return FIELD_GET(OTHER_USERS, xa_to_value(entry));
}

static int other_irq(void *entry)
{
	return FIELD_GET(OTHER_IRQ, xa_to_value(entry));
}

static irqreturn_t ignore(int irq, void *ports)
{
	return IRQ_NONE;
}

/*
 * If the process that opened the port still has it, that may keep the interrupt to itself (6.1). It
 * is lost then, as the end of that process is for the kernel (gntdev(4)). The port itself is still
 * there where a suspend failed half-way, after which devices are told of a restore, too.
 */
static void drop_irq(struct gntdev_ports *ports, u32 port, int irq)
{
	if (irq_from_evtchn(port) == irq)
		evtchn_put(port);
	else if (!request_irq(irq, ignore, IRQF_SHARED | IRQF_PROBE_SHARED, KBUILD_MODNAME, ports))
		unbind_from_irqhandler(irq, ports);
}

/* Forgets the ports of an earlier life of this domain. */
static void forget_old(struct gntdev_ports *ports)
{
	unsigned long port;
	void *entry;

	if (likely(ports->life == gntdev_ports_life))
		return;
	if (ports->users)
		drop_irq(ports, ports->port, ports->irq);
	ports->users = 0;
	xa_for_each(&ports->others, port, entry)
		drop_irq(ports, port, other_irq(entry));
	xa_destroy(&ports->others);
	ports->life = gntdev_ports_life;
}

/**
 * gntdev_ports_init() - make ready to count ports
 * @ports: set to none
 */
void gntdev_ports_init(struct gntdev_ports *ports)
{
	ports->users = 0;
	ports->life = gntdev_ports_life;
	xa_init_flags(&ports->others, XA_FLAGS_ACCOUNT);
}

/**
 * gntdev_ports_free() - undo gntdev_ports_init()
 * @ports: the ports, which no notification names any more, except one of an earlier life
 */
void gntdev_ports_free(struct gntdev_ports *ports)
{
	forget_old(ports);
	xa_destroy(&ports->others);
}

/* Takes a reference to a port. Returns its interrupt, or -EINVAL. */
static int hold(u32 port)
{
	/* Only ports opened through /dev/xen/evtchn are counted; else an error comes. */
	return evtchn_get(port) ? -EINVAL : irq_from_evtchn(port);
}

/* One more notification names @port, which is not the first port. */
static noinline int other_get(struct gntdev_ports *ports, u32 port)
{
	void *entry = xa_load(&ports->others, port);
	int irq, err;

	if (entry) {
		/* Replacing an entry needs no memory. */
		xa_store(&ports->others, port,
			 other_entry(other_irq(entry), other_users(entry) + 1), GFP_KERNEL);
		return 0;
	}

	err = xa_err(xa_store(&ports->others, port, other_entry(0, 1), GFP_KERNEL));
	if (err)
		return err;
	irq = hold(port);
	if (irq < 0) {
		xa_erase(&ports->others, port);
		return irq;
	}
	xa_store(&ports->others, port, other_entry(irq, 1), GFP_KERNEL);
	return 0;
}

static noinline bool other_put(struct gntdev_ports *ports, u32 port)
{
	void *entry = xa_load(&ports->others, port);
	unsigned long users = other_users(entry);

	if (users > 1)
		xa_store(&ports->others, port, other_entry(other_irq(entry), users - 1),
			 GFP_KERNEL);
	else
		xa_erase(&ports->others, port);
	return users <= 1;
}

/**
 * gntdev_port_get() - one more notification names a port
 * @ports: those of the instance
 * @port:  the port
 *
 * It may become the first port while it still is a further one, too; then it is held twice, and it
 * does not matter which of the two a notification gives up. Sleeps.
 *
 * Return: 0; -EINVAL for a port that is not open; -ENOMEM.
 */
int gntdev_port_get(struct gntdev_ports *ports, u32 port)
{
	int irq;

	forget_old(ports);
	if (ports->users) {
		if (ports->port != port)
			return other_get(ports, port);
		ports->users++;
		return 0;
	}
	irq = hold(port);
	if (irq < 0)
		return irq;
	ports->port = port;
	ports->irq = irq;
	ports->users = 1;
	return 0;
}

/**
 * gntdev_port_put() - one notification fewer names a port
 * @ports: those of the instance
 * @port:  a port of gntdev_port_get(), in this life of the domain
 *
 * Return: whether that was the last: then the caller has to evtchn_put() it, once it holds no lock,
 * as that may close the port.
 */
bool gntdev_port_put(struct gntdev_ports *ports, u32 port)
{
	if (!ports->users || ports->port != port)
		return other_put(ports, port);
	return !--ports->users;
}
