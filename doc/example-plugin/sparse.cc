// SPDX-License-Identifier: MIT
/* sparse: a RAM disk that holds only the blocks that were written, by the call profile, in C++. */
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <unordered_map>
#include <ublk-plugin.h>

namespace
{

constexpr uint64_t block_size = 4096;
constexpr ublk_opt_spec opts[] = {
	{ "size", "size of the device", "64M", nullptr, block_size, 0, UBLK_OPT_SIZE, 0 },
};

class Sparse
{
      public:
	explicit Sparse(uint64_t size) : size_(size - size % block_size)
	{
	}

	uint64_t size() const
	{
		return size_;
	}

	void read(char *to, uint64_t length, uint64_t offset) const
	{
		std::shared_lock<std::shared_mutex> guard(lock_);

		for (uint64_t at = 0; at < length; at += block_size) {
			auto found = blocks_.find((offset + at) / block_size);

			if (found == blocks_.end())
				std::memset(to + at, 0, block_size);
			else
				std::memcpy(to + at, found->second.data(), block_size);
		}
	}

	void write(const char *from, uint64_t length, uint64_t offset)
	{
		std::lock_guard<std::shared_mutex> guard(lock_);

		for (uint64_t at = 0; at < length; at += block_size)
			std::memcpy(blocks_[(offset + at) / block_size].data(), from + at,
				    block_size);
	}

	void forget(uint64_t length, uint64_t offset)
	{
		std::lock_guard<std::shared_mutex> guard(lock_);
		uint64_t first = offset / block_size, end = (offset + length) / block_size;

		for (auto block = blocks_.begin(); block != blocks_.end();)
			block = block->first >= first && block->first < end ? blocks_.erase(block)
									    : std::next(block);
	}

      private:
	const uint64_t size_;
	mutable std::shared_mutex lock_;
	std::unordered_map<uint64_t, std::array<char, block_size>> blocks_;
};

/* The host is C: no exception may leave a callback. */
template <typename Function> int guarded(Function function) noexcept
{
	try {
		function();
		return 0;
	} catch (const std::bad_alloc &) {
		return -ENOMEM;
	} catch (...) {
		return -EIO;
	}
}

int sparse_open(ublk_dev *, const ublk_open_args *args, void **priv)
{
	return guarded([=] { *priv = new Sparse(args->opts[0].u64); });
}

int sparse_get_limits(void *priv, ublk_limits *limits)
{
	limits->size_bytes = static_cast<const Sparse *>(priv)->size();
	limits->logical_block = block_size; /* all requests are whole blocks */
	return 0;
}

void sparse_close(void *priv)
{
	delete static_cast<Sparse *>(priv);
}

int sparse_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t)
{
	return guarded([=] {
		static_cast<const Sparse *>(priv)->read(static_cast<char *>(buf), length, offset);
	});
}

int sparse_write(void *priv, const void *buf, uint64_t length, uint64_t offset, uint32_t)
{
	return guarded([=] {
		static_cast<Sparse *>(priv)->write(static_cast<const char *>(buf), length, offset);
	});
}

/* Discards, and zeroing that may give the space back; what is not there reads as zeroes. */
int sparse_forget(void *priv, uint64_t length, uint64_t offset, uint32_t)
{
	return guarded([=] { static_cast<Sparse *>(priv)->forget(length, offset); });
}

/* A constant that is there before any code of the plugin runs, without C's designated initializers. */
constexpr ublk_plugin describe()
{
	ublk_plugin plugin{};

	plugin.magic = UBLK_PLUGIN_MAGIC;
	plugin.abi_major = UBLK_PLUGIN_ABI_MAJOR;
	plugin.abi_minor = UBLK_PLUGIN_ABI_MINOR;
	plugin.struct_size = sizeof(plugin);
	plugin.name = "sparse";
	plugin.version = "1.0";
	plugin.description = "RAM disk of the blocks that were written, in C++";
	plugin.opts = opts;
	plugin.nr_opts = sizeof(opts) / sizeof(opts[0]);
	plugin.opt_spec_size = sizeof(opts[0]);
	plugin.thread_model = UBLK_THREADS_PARALLEL;
	plugin.open = sparse_open;
	plugin.get_limits = sparse_get_limits;
	plugin.close = sparse_close;
	plugin.read = sparse_read;
	plugin.write = sparse_write;
	plugin.discard = sparse_forget;
	plugin.write_zeroes = sparse_forget;
	return plugin;
}

} // namespace

const ublk_plugin ublk_plugin_v1 = describe();
