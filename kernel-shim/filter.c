// SPDX-License-Identifier: GPL-2.0-only
/*
 * The filter for configuration writes: the one place that keeps bits of a function's
 * configuration space as they are while the kernel shuts down, enumerates and binds. A
 * rule names bits of one register and their value; whatever is written to them, by the
 * kernel or by a user, that value reaches the device. All other bits, and reads, pass.
 *
 * A bus with rules gets operations of ours (pci_bus_set_ops()) that differ from its own
 * in the write path alone. Configuration accesses take no lock on x86
 * (PCI_LOCKLESS_CONFIG) and come from any context, so rules are read under RCU and found
 * by bus: what bus->ops is may change between a caller's look at it and ours. For the
 * same reason a bus stays wrapped until the module goes.
 *
 * A bus made below a wrapped one inherits its operations; it is given the original ones
 * when it is added. Rules and wrapper of a bus that is removed go with it.
 */
#include <linux/delay.h>
#include <linux/hashtable.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "liveupdate_vfio.h"

struct luv_bus {
	struct pci_ops ops;
	struct pci_ops *orig;
	struct pci_bus *bus;
	struct list_head rules;
	struct hlist_node node;
	struct rcu_head rcu;
};

struct luv_rule {
	unsigned int devfn;
	int where; /* of a word */
	u16 mask;
	u16 value;
	const char *reason;
	unsigned int users;
	atomic_t overridden;
	struct list_head node;
	struct rcu_head rcu;
};

static DEFINE_HASHTABLE(luv_buses, 6);

static struct luv_bus *luv_bus_find(struct pci_bus *bus)
{
	struct luv_bus *lb;

	hash_for_each_possible_rcu(luv_buses, lb, node, (unsigned long)bus,
				   lockdep_is_held(&luv_lock))
		if (lb->bus == bus)
			return lb;
	return NULL;
}

/* What a write of @size bytes at @where becomes. */
static u32 luv_rule_apply(struct luv_rule *rule, int where, int size, u32 val)
{
	int shift = (rule->where - where) * BITS_PER_BYTE;
	u64 mask, value;

	if (shift <= -16 || shift >= size * BITS_PER_BYTE)
		return val;

	mask = shift < 0 ? rule->mask >> -shift : (u64)rule->mask << shift;
	mask &= BIT_ULL(size * BITS_PER_BYTE) - 1;
	value = shift < 0 ? rule->value >> -shift : (u64)rule->value << shift;
	if (!((val ^ value) & mask))
		return val;

	atomic_inc(&rule->overridden);
	return (val & ~mask) | (value & mask);
}

static int luv_bus_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 val)
{
	struct luv_rule *rule;
	struct luv_bus *lb;

	guard(rcu)();
	lb = luv_bus_find(bus);
	if (!lb) /* removed while the caller was under way */
		return PCIBIOS_DEVICE_NOT_FOUND;

	list_for_each_entry_rcu(rule, &lb->rules, node)
		if (rule->devfn == devfn)
			val = luv_rule_apply(rule, where, size, val);
	return lb->orig->write(bus, devfn, where, size, val);
}

static int luv_bus_added(struct pci_bus *bus)
{
	struct pci_ops *orig;

	scoped_guard(rcu)
		orig = luv_bus_find(bus->parent)->orig;
	pci_bus_set_ops(bus, orig);
	return orig->add_bus ? orig->add_bus(bus) : 0;
}

static void luv_bus_free(struct luv_bus *lb)
{
	struct luv_rule *rule, *tmp;

	list_for_each_entry_safe(rule, tmp, &lb->rules, node) {
		list_del_rcu(&rule->node);
		kfree_rcu(rule, rcu);
	}
	hash_del_rcu(&lb->node);
	kfree_rcu(lb, rcu);
}

static void luv_bus_removed(struct pci_bus *bus)
{
	struct pci_ops *orig;
	struct luv_bus *lb;

	scoped_guard(mutex, &luv_lock) {
		lb = luv_bus_find(bus);
		orig = lb->orig;
		pci_bus_set_ops(bus, orig);
		luv_bus_free(lb);
	}
	if (orig->remove_bus)
		orig->remove_bus(bus);
}

static struct luv_bus *luv_bus_wrap(struct pci_bus *bus)
{
	struct luv_bus *lb = luv_bus_find(bus);

	if (lb)
		return lb;
	lb = kzalloc_obj(*lb);
	if (!lb)
		return NULL;

	lb->bus = bus;
	lb->orig = bus->ops;
	lb->ops = *lb->orig;
	lb->ops.write = luv_bus_write;
	lb->ops.add_bus = luv_bus_added;
	lb->ops.remove_bus = luv_bus_removed;
	INIT_LIST_HEAD(&lb->rules);
	hash_add_rcu(luv_buses, &lb->node, (unsigned long)bus);
	pci_bus_set_ops(bus, &lb->ops);
	return lb;
}

static struct luv_rule *luv_rule_find(struct luv_bus *lb, unsigned int devfn, int where, u16 mask,
				      u16 value)
{
	struct luv_rule *rule;

	list_for_each_entry(rule, &lb->rules, node)
		if (rule->devfn == devfn && rule->where == where && rule->mask == mask &&
		    rule->value == value)
			return rule;
	return NULL;
}

/**
 * luv_filter_hold - from now on let only @value reach the bits @mask of a register
 * @pdev: the function; it may be a bridge above several, rules are counted
 * @where: offset of a word in its configuration space
 * @mask: the bits
 * @value: what they are to be; nothing is written now
 * @reason: why, for the operator
 *
 * Return: 0 or -ENOMEM
 */
int luv_filter_hold(struct pci_dev *pdev, int where, u16 mask, u16 value, const char *reason)
{
	struct luv_bus *lb = luv_bus_wrap(pdev->bus);
	struct luv_rule *rule;

	lockdep_assert_held(&luv_lock);
	if (!lb)
		return -ENOMEM;

	rule = luv_rule_find(lb, pdev->devfn, where, mask, value);
	if (!rule) {
		rule = kzalloc_obj(*rule);
		if (!rule)
			return -ENOMEM;
		rule->devfn = pdev->devfn;
		rule->where = where;
		rule->mask = mask;
		rule->value = value;
		rule->reason = reason;
		list_add_tail_rcu(&rule->node, &lb->rules);
	}
	rule->users++;
	return 0;
}

/**
 * luv_filter_drop - take one luv_filter_hold() back
 * @pdev: as it was given there, as are
 * @where: the offset,
 * @mask: the bits and
 * @value: what they were to be
 */
void luv_filter_drop(struct pci_dev *pdev, int where, u16 mask, u16 value)
{
	struct luv_bus *lb = luv_bus_find(pdev->bus);
	struct luv_rule *rule;

	lockdep_assert_held(&luv_lock);
	rule = lb ? luv_rule_find(lb, pdev->devfn, where, mask, value) : NULL;
	if (!rule || --rule->users)
		return;
	list_del_rcu(&rule->node);
	kfree_rcu(rule, rcu);
}

void luv_filter_list(struct luv_window *w)
{
	struct luv_rule *rule;
	struct luv_bus *lb;
	unsigned long id;
	int i;

	hash_for_each(luv_buses, i, lb, node)
		list_for_each_entry(rule, &lb->rules, node) {
			id = (unsigned long)pci_domain_nr(lb->bus) << 16 |
			     PCI_DEVID(lb->bus->number, rule->devfn);
			luv_list_line(w, true, id, "%03x 2 %04x %04x %d %s", rule->where,
				      rule->mask, rule->value, atomic_read(&rule->overridden),
				      rule->reason);
		}
}

/* Gives a bus back, once nobody's operations lie over ours. */
static void luv_bus_unwrap(struct luv_bus *lb)
{
	struct pci_ops *top;

	while ((top = pci_bus_set_ops(lb->bus, lb->orig)) != &lb->ops) {
		pci_bus_set_ops(lb->bus, top);
		dev_warn_once(&lb->bus->dev, "waiting for another module to give the bus back\n");
		msleep(100);
	}
}

void luv_filter_exit(void)
{
	struct hlist_node *tmp;
	struct luv_bus *lb;
	int i;

	pci_lock_rescan_remove(); /* no bus comes or goes */
	hash_for_each(luv_buses, i, lb, node)
		luv_bus_unwrap(lb);

	/* A task may have read bus->ops and be on its way into luv_bus_write(). */
	synchronize_rcu_tasks();
	hash_for_each_safe(luv_buses, i, tmp, lb, node)
		luv_bus_free(lb);
	pci_unlock_rescan_remove();
	rcu_barrier();
}
