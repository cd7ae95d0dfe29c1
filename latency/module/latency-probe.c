// SPDX-License-Identifier: GPL-2.0
/*
 * The longest stretches of each kind: see latency-probe.h. The kernel tells when preemption and
 * interrupts go off and on (its tracepoints for that), and is had to tell when locks are taken and
 * when an interrupt comes (ftrace). What is noted is the time of the outermost, less that of
 * interrupts that came in between.
 *
 * Everything here is for one processor. What the probes take themselves is in the figures: a few
 * hundred instructions for each lock, or each time that something goes off or on.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/ftrace.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/mm.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>

#include "latency-probe.h"

/* Locks of the driver that are held at a time. */
#define DEPTH 4

struct stretch {
	u64 began;		/* 0: there is none */
	u64 stolen;		/* by then */
	unsigned long where;
	const void *what;
};

static struct probe_start target;
static struct rw_semaphore *target_lock;
static struct probe_result result;
static bool running;

/* Time in interrupts, since when one is there, and how many are. */
static u64 stolen, interrupt_began;
static unsigned int interrupts;

static struct stretch preempt_off, irqs_off, mmap_held, mutexes[DEPTH];

static notrace bool is_wanted(void)
{
	return running && current->tgid == target.tgid;
}

static notrace bool is_ours(unsigned long address)
{
	return address >= target.text && address < target.end;
}

/* No interrupt between a look at the clock and one at what interrupts took; these are not traced. */
static notrace void begin(struct stretch *stretch, unsigned long where, const void *what)
{
	unsigned long flags;

	stretch->where = where;
	stretch->what = what;
	raw_local_irq_save(flags);
	stretch->stolen = stolen;
	stretch->began = sched_clock();
	raw_local_irq_restore(flags);
}

static notrace void note(const struct stretch *stretch, u64 length, unsigned int kind)
{
	result.count[kind]++;
	if (length <= result.longest[kind])
		return;
	result.longest[kind] = length;
	result.where[kind] = stretch->where;
}

static notrace void end(struct stretch *stretch, unsigned int kind)
{
	unsigned long flags;
	u64 length;

	if (!stretch->began)
		return;
	raw_local_irq_save(flags);
	length = sched_clock() - stretch->began - (stolen - stretch->stolen);
	raw_local_irq_restore(flags);
	if (running)
		note(stretch, length, kind);
	if (running && kind == PROBE_PREEMPT && is_ours(stretch->where))
		note(stretch, length, PROBE_PREEMPT_OURS);
	stretch->began = 0;
}

/* ---- what the kernel tells ---- */

static notrace void on_preempt_disable(void *data, unsigned long ip, unsigned long parent)
{
	if (is_wanted() && !interrupts)
		begin(&preempt_off, is_ours(parent) && !is_ours(ip) ? parent : ip, NULL);
}

static notrace void on_preempt_enable(void *data, unsigned long ip, unsigned long parent)
{
	if (!interrupts)
		end(&preempt_off, PROBE_PREEMPT);
}

static notrace void on_irq_disable(void *data, unsigned long ip, unsigned long parent)
{
	if (is_wanted() && !interrupts)
		begin(&irqs_off, ip, NULL);
}

static notrace void on_irq_enable(void *data, unsigned long ip, unsigned long parent)
{
	if (!interrupts)
		end(&irqs_off, PROBE_IRQS);
}

/* One may come while another one's soft part runs. */
static notrace void interrupt_begins(void)
{
	if (!interrupts++)
		interrupt_began = sched_clock();
}

static notrace void interrupt_ends(void)
{
	if (interrupts && !--interrupts)
		stolen += sched_clock() - interrupt_began;
}

static notrace void on_softirq_entry(void *data, unsigned int vector)
{
	interrupt_begins();
}

static notrace void on_softirq_exit(void *data, unsigned int vector)
{
	interrupt_ends();
}

static struct {
	const char *name;
	void *probe;
	struct tracepoint *point;
	bool registered;
} points[] = {
	{ "preempt_disable", on_preempt_disable },
	{ "preempt_enable", on_preempt_enable },
	{ "irq_disable", on_irq_disable },
	{ "irq_enable", on_irq_enable },
	{ "softirq_entry", on_softirq_entry },
	{ "softirq_exit", on_softirq_exit },
};

static void find_point(struct tracepoint *point, void *context)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(points); i++)
		if (!strcmp(point->name, points[i].name))
			points[i].point = point;
}

/* ---- what it is had to tell ---- */

static notrace void on_irq_enter(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
				 struct ftrace_regs *regs)
{
	interrupt_begins();
}

static notrace void on_irq_exit(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
				struct ftrace_regs *regs)
{
	interrupt_ends();
}

static notrace void on_mutex_lock(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
				  struct ftrace_regs *regs)
{
	unsigned int i;

	if (!is_wanted() || !is_ours(parent))
		return;
	for (i = 0; i < DEPTH; i++)
		if (!mutexes[i].began) {
			begin(&mutexes[i], parent, (void *)ftrace_regs_get_argument(regs, 0));
			break;
		}
}

static notrace void on_mutex_unlock(unsigned long ip, unsigned long parent,
				    struct ftrace_ops *ops, struct ftrace_regs *regs)
{
	unsigned int i;

	if (!is_wanted())
		return;
	for (i = 0; i < DEPTH; i++)
		if (mutexes[i].began &&
		    mutexes[i].what == (void *)ftrace_regs_get_argument(regs, 0))
			end(&mutexes[i], PROBE_MUTEX);
}

static notrace void on_down_write(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
				  struct ftrace_regs *regs)
{
	if (is_wanted() && (void *)ftrace_regs_get_argument(regs, 0) == target_lock)
		begin(&mmap_held, parent, NULL);
}

static notrace void on_up_write(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
				struct ftrace_regs *regs)
{
	if (is_wanted() && (void *)ftrace_regs_get_argument(regs, 0) == target_lock)
		end(&mmap_held, PROBE_MMAP);
}

static struct {
	char *name;
	struct ftrace_ops ops;
	bool registered;
} functions[] = {
	{ "irq_enter_rcu", { .func = on_irq_enter } },
	{ "irq_exit_rcu", { .func = on_irq_exit } },
	{ "mutex_lock", { .func = on_mutex_lock } },
	{ "mutex_unlock", { .func = on_mutex_unlock } },
	{ "down_write", { .func = on_down_write } },
	{ "down_write_killable", { .func = on_down_write } },
	{ "up_write", { .func = on_up_write } },
	{ "downgrade_write", { .func = on_up_write } },
};

/* ---- the device ---- */

static int start(void __user *arg)
{
	struct task_struct *task;
	struct mm_struct *mm;

	if (copy_from_user(&target, arg, sizeof(target)))
		return -EFAULT;
	rcu_read_lock();
	task = pid_task(find_vpid(target.tgid), PIDTYPE_TGID);
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	if (!task)
		return -ESRCH;
	/* To compare with only: the process is not to live for this. */
	mm = get_task_mm(task);
	put_task_struct(task);
	target_lock = mm ? &mm->mmap_lock : NULL;
	if (mm)
		mmput(mm);
	memset(&result, 0, sizeof(result));
	memset(mutexes, 0, sizeof(mutexes));
	preempt_off.began = 0;
	irqs_off.began = 0;
	mmap_held.began = 0;
	interrupts = 0;
	WRITE_ONCE(running, true);
	return 0;
}

static int stop(void __user *arg)
{
	WRITE_ONCE(running, false);
	return copy_to_user(arg, &result, sizeof(result)) ? -EFAULT : 0;
}

static long probe_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case PROBE_START:
		return start((void __user *)arg);
	case PROBE_STOP:
		return stop((void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations probe_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = probe_ioctl,
};

static struct miscdevice probe_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "latency-probe",
	.fops = &probe_fops,
};

static void undo(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(functions); i++)
		if (functions[i].registered)
			unregister_ftrace_function(&functions[i].ops);
	for (i = 0; i < ARRAY_SIZE(points); i++)
		if (points[i].registered)
			tracepoint_probe_unregister(points[i].point, points[i].probe, NULL);
	tracepoint_synchronize_unregister();
}

static int __init probe_init(void)
{
	unsigned int i;
	int err;

	if (num_online_cpus() != 1) {
		pr_err("this is for one processor\n");
		return -EINVAL;
	}
	for_each_kernel_tracepoint(find_point, NULL);
	for (i = 0; i < ARRAY_SIZE(points); i++) {
		err = points[i].point ?
			tracepoint_probe_register(points[i].point, points[i].probe, NULL) : -ENOENT;
		if (err) {
			pr_err("the kernel does not tell of %s: %d\n", points[i].name, err);
			goto err_undo;
		}
		points[i].registered = true;
	}
	for (i = 0; i < ARRAY_SIZE(functions); i++) {
		err = ftrace_set_filter(&functions[i].ops, functions[i].name,
					strlen(functions[i].name), 1) ?:
		      register_ftrace_function(&functions[i].ops);
		if (err) {
			pr_err("%s cannot be traced: %d\n", functions[i].name, err);
			goto err_undo;
		}
		functions[i].registered = true;
	}
	err = misc_register(&probe_device);
	if (!err)
		return 0;
err_undo:
	undo();
	return err;
}

static void __exit probe_exit(void)
{
	misc_deregister(&probe_device);
	undo();
}

module_init(probe_init);
module_exit(probe_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("The longest stretches without preemption, and of locks");
