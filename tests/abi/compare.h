/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of the interface: X(name) for each struct, M(struct, member), C(constant). */
#ifndef TESTS_ABI_COMPARE_H
#define TESTS_ABI_COMPARE_H

#define FOR_EACH_STRUCT(X) \
	X(grant_ref) \
	X(map_grant_ref) \
	X(unmap_grant_ref) \
	X(get_offset_for_vaddr) \
	X(set_max_grants) \
	X(unmap_notify) \
	X(grant_copy_segment) \
	X(grant_copy) \
	X(dmabuf_exp_from_refs) \
	X(dmabuf_exp_wait_released) \
	X(dmabuf_imp_to_refs) \
	X(dmabuf_imp_release)

#define FOR_EACH_MEMBER(M) \
	M(grant_ref, domid) \
	M(grant_ref, ref) \
	M(map_grant_ref, count) \
	M(map_grant_ref, pad) \
	M(map_grant_ref, index) \
	M(map_grant_ref, refs) \
	M(unmap_grant_ref, index) \
	M(unmap_grant_ref, count) \
	M(unmap_grant_ref, pad) \
	M(get_offset_for_vaddr, vaddr) \
	M(get_offset_for_vaddr, offset) \
	M(get_offset_for_vaddr, count) \
	M(get_offset_for_vaddr, pad) \
	M(set_max_grants, count) \
	M(unmap_notify, index) \
	M(unmap_notify, action) \
	M(unmap_notify, event_channel_port) \
	M(grant_copy_segment, source) \
	M(grant_copy_segment, source.virt) \
	M(grant_copy_segment, source.foreign.ref) \
	M(grant_copy_segment, source.foreign.offset) \
	M(grant_copy_segment, source.foreign.domid) \
	M(grant_copy_segment, dest) \
	M(grant_copy_segment, dest.virt) \
	M(grant_copy_segment, dest.foreign.ref) \
	M(grant_copy_segment, dest.foreign.offset) \
	M(grant_copy_segment, dest.foreign.domid) \
	M(grant_copy_segment, len) \
	M(grant_copy_segment, flags) \
	M(grant_copy_segment, status) \
	M(grant_copy, count) \
	M(grant_copy, segments) \
	M(dmabuf_exp_from_refs, flags) \
	M(dmabuf_exp_from_refs, count) \
	M(dmabuf_exp_from_refs, fd) \
	M(dmabuf_exp_from_refs, domid) \
	M(dmabuf_exp_from_refs, refs) \
	M(dmabuf_exp_wait_released, fd) \
	M(dmabuf_exp_wait_released, wait_to_ms) \
	M(dmabuf_imp_to_refs, fd) \
	M(dmabuf_imp_to_refs, count) \
	M(dmabuf_imp_to_refs, domid) \
	M(dmabuf_imp_to_refs, reserved) \
	M(dmabuf_imp_to_refs, refs) \
	M(dmabuf_imp_release, fd) \
	M(dmabuf_imp_release, reserved)

#define FOR_EACH_CONSTANT(C) \
	C(IOCTL_GNTDEV_MAP_GRANT_REF) \
	C(IOCTL_GNTDEV_UNMAP_GRANT_REF) \
	C(IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR) \
	C(IOCTL_GNTDEV_SET_MAX_GRANTS) \
	C(IOCTL_GNTDEV_SET_UNMAP_NOTIFY) \
	C(IOCTL_GNTDEV_GRANT_COPY) \
	C(IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS) \
	C(IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED) \
	C(IOCTL_GNTDEV_DMABUF_IMP_TO_REFS) \
	C(IOCTL_GNTDEV_DMABUF_IMP_RELEASE) \
	C(UNMAP_NOTIFY_CLEAR_BYTE) \
	C(UNMAP_NOTIFY_SEND_EVENT) \
	C(GNTDEV_DMA_FLAG_WC) \
	C(GNTDEV_DMA_FLAG_COHERENT)

#endif
