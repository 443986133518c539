// SPDX-License-Identifier: MIT
//! offsets: a read-only device on which every eight bytes are their own offset, by the call profile, in
//! Rust. The contract of ublk-plugin.h is written down by hand here, as far as it is used; the host
//! checks sizes, and so does the compiler below, with the numbers of a 64-bit machine.
use std::ffi::{c_char, c_int, c_void};
use std::mem::{offset_of, size_of};
use std::ptr::null;

#[repr(C)]
pub struct OptSpec {
    name: *const c_char,
    help: *const c_char,
    def: *const c_char,
    choices: *const c_char,
    min: u64,
    max: u64,
    kind: u32,
    flags: u32,
}

#[repr(C)]
pub struct Opt {
    text: *const c_char,
    number: u64,
    is_set: u32,
    reserved: u32,
}

#[repr(C)]
pub struct OpenArgs {
    struct_size: u32,
    flags: u32,
    nr_opts: u32,
    opt_size: u32,
    opts: *const Opt,
}

/// The beginning of struct ublk_limits: what comes after it is left as the host filled it.
#[repr(C)]
pub struct Limits {
    struct_size: u32,
    attrs: u32,
    size_bytes: u64,
}

type Unused = *const c_void; // a callback that this plugin does not have: NULL

#[repr(C)]
pub struct Plugin {
    magic: u32,
    abi_major: u16,
    abi_minor: u16,
    struct_size: u32,
    min_host_minor: u16,
    reserved0: u16,
    name: *const c_char,
    version: *const c_char,
    description: *const c_char,
    opts: *const OptSpec,
    nr_opts: u32,
    opt_spec_size: u32,
    thread_model: u32,
    flags: u32,
    map_ops: u32,
    submit_ops: u32,
    map_kinds: u32,
    data_modes: u32,
    load: Unused,
    open: extern "C" fn(*mut c_void, &OpenArgs, &mut *mut Device) -> c_int,
    get_limits: extern "C" fn(&Device, &mut Limits) -> c_int,
    start: Unused,
    resize: Unused,
    stop: Unused,
    close: extern "C" fn(*mut Device),
    queue: [Unused; 8], // queue_init, queue_exit, map, submit, cqe, event, batch_end, cancel
    read: extern "C" fn(&Device, *mut u8, u64, u64, u32) -> c_int,
    write: Unused,
    flush: Unused,
    discard: Unused,
    write_zeroes: Unused,
}

// SAFETY: nothing in the two ever changes.
unsafe impl Sync for OptSpec {}
unsafe impl Sync for Plugin {}

const _: () = assert!(size_of::<OptSpec>() == 56 && size_of::<Opt>() == 24);
const _: () = assert!(offset_of!(Plugin, open) == 88 && offset_of!(Plugin, close) == 128);
const _: () = assert!(offset_of!(Plugin, read) == 200 && size_of::<Plugin>() == 240);

const OPT_SIZE_TYPE: u32 = 4; // UBLK_OPT_SIZE
const THREADS_PARALLEL: u32 = 2000; // UBLK_THREADS_PARALLEL
const DEV_READ_ONLY: u32 = 1; // UBLK_DEV_READ_ONLY

static OPTS: [OptSpec; 1] = [OptSpec {
    name: c"size".as_ptr(),
    help: c"size of the device".as_ptr(),
    def: c"64M".as_ptr(),
    choices: null(),
    min: 4096,
    max: 0,
    kind: OPT_SIZE_TYPE,
    flags: 0,
}];

/// All that there is of a device; the host hands it to each callback as priv.
pub struct Device {
    size: u64,
}

extern "C" fn open(_dev: *mut c_void, args: &OpenArgs, device: &mut *mut Device) -> c_int {
    // SAFETY: the host gives a value for each entry of OPTS, in its order.
    let size = unsafe { (*args.opts).number } & !4095; // whole blocks
    *device = Box::into_raw(Box::new(Device { size }));
    0
}

extern "C" fn get_limits(device: &Device, limits: &mut Limits) -> c_int {
    limits.size_bytes = device.size;
    limits.attrs |= DEV_READ_ONLY;
    0
}

extern "C" fn close(device: *mut Device) {
    // SAFETY: open() made it, and no call comes after this one.
    drop(unsafe { Box::from_raw(device) });
}

extern "C" fn read(_: &Device, buf: *mut u8, length: u64, offset: u64, _flags: u32) -> c_int {
    // SAFETY: the buffer has length bytes and is this call's alone.
    let buf = unsafe { std::slice::from_raw_parts_mut(buf, length as usize) };
    for (word, at) in buf.chunks_exact_mut(8).zip((offset..).step_by(8)) {
        word.copy_from_slice(&at.to_le_bytes());
    }
    0
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static ublk_plugin_v1: Plugin = Plugin {
    magic: 0x4b4c4255,
    abi_major: 1,
    abi_minor: 0,
    struct_size: size_of::<Plugin>() as u32,
    min_host_minor: 0,
    reserved0: 0,
    name: c"offsets".as_ptr(),
    version: c"1.0".as_ptr(),
    description: c"Every eight bytes are their own offset, in Rust".as_ptr(),
    opts: OPTS.as_ptr(),
    nr_opts: OPTS.len() as u32,
    opt_spec_size: size_of::<OptSpec>() as u32,
    thread_model: THREADS_PARALLEL,
    flags: 0,
    map_ops: 0,
    submit_ops: 0,
    map_kinds: 0,
    data_modes: 0,
    load: null(),
    open,
    get_limits,
    start: null(),
    resize: null(),
    stop: null(),
    close,
    queue: [null(); 8],
    read,
    write: null(),
    flush: null(),
    discard: null(),
    write_zeroes: null(),
};
