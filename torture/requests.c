// SPDX-License-Identifier: GPL-2.0
/* Requests: each is counted from its submission to its event, and its data is looked at. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "victim.h"

#define MAGIC		0x7a10ULL
#define FILLER		0xee
#define FILE_SIZE	(256 * 1024)
#define MAX_PIECES	512

struct context *contexts[CONTEXTS];
__thread unsigned int thread_number;
atomic_uint steps_of[THREADS + 1];

static struct context *all[MAX_CONTEXTS];
static atomic_uint all_nr;

/* What was read of a stream, in the order of submission if nobody else did. */
struct piece {
	unsigned int serial;
	uint8_t first, last;
};

static struct {
	pthread_mutex_t lock;
	struct piece pieces[MAX_PIECES];
	unsigned int nr;
	atomic_uint reader;	/* context and thread, + 1 */
	atomic_bool mixed;
} streams[KINDS];

struct context *context_new(aio_context_t id, unsigned int capacity, unsigned int flags)
{
	unsigned int number = atomic_fetch_add(&all_nr, 1);
	struct context *context;

	if (number >= MAX_CONTEXTS)
		return NULL;
	context = mmap(NULL, sizeof(*context), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	context->memory = mmap(NULL, (size_t)RECORDS * BUFFER, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (context == MAP_FAILED || context->memory == MAP_FAILED)
		return NULL;
	context->id = id;
	context->number = number;
	context->capacity = capacity;
	context->flags = flags;
	__atomic_store_n(&all[number], context, __ATOMIC_RELEASE);
	return context;
}

struct context *context_get(unsigned int selector)
{
	return __atomic_load_n(&contexts[selector % CONTEXTS], __ATOMIC_ACQUIRE);
}

static struct record *record_get(struct context *context, unsigned int *index)
{
	for (unsigned int word = 0; word < RECORDS / 64; word++) {
		unsigned long old = context->taken[word];

		while (~old) {
			unsigned int bit = __builtin_ctzl(~old);

			if (atomic_compare_exchange_weak(&context->taken[word], &old,
							 old | 1UL << bit)) {
				*index = word * 64 + bit;
				return &context->records[*index];
			}
		}
	}
	return NULL;
}

void request_put(struct context *context, struct record *record)
{
	unsigned int index = record - context->records;

	if (atomic_fetch_sub(&record->refs, 1) == 1)
		atomic_fetch_and(&context->taken[index / 64], ~(1UL << index % 64));
}

static const uint16_t opcodes[16] = {
	IOCB_CMD_PREAD, IOCB_CMD_PREAD, IOCB_CMD_PWRITE, IOCB_CMD_PREADV, IOCB_CMD_PWRITEV,
	IOCB_CMD_FSYNC, IOCB_CMD_FDSYNC, IOCB_CMD_POLL, IOCB_CMD_NOOP, RAIO_CMD_SYNC_FILE_RANGE,
	IOCB_CMD_PREAD, IOCB_CMD_PWRITE, IOCB_CMD_POLL, IOCB_CMD_PREADV, IOCB_CMD_PREAD, 4,
};

static const unsigned int sizes[8] = { 512, 4096, 1, 100, BUFFER, 0, 65536, 3 };

static const uint64_t offsets[16] = {
	0, 512, 4096, 8192, 12345, 65536, FILE_SIZE - 4096, FILE_SIZE - 10, FILE_SIZE, 1 << 30,
	0, 16384, 32768, -1, INT64_MAX, INT64_MIN,
};

static const unsigned int rwf[8] = { 0, 0, 8, 2, 4, 1, 0x10, 0xdead0000 };

static bool is_read(unsigned int opcode)
{
	return opcode == IOCB_CMD_PREAD || opcode == IOCB_CMD_PREADV;
}

static bool is_write(unsigned int opcode)
{
	return opcode == IOCB_CMD_PWRITE || opcode == IOCB_CMD_PWRITEV;
}

/* The memory of a record: what is written is right wherever it goes, or zeros. */
static void fill_buffer(struct record *record, bool anywhere)
{
	for (unsigned int i = 0; i < record->len; i++)
		record->buffer[i] = is_read(record->iocb.aio_lio_opcode) ? FILLER :
				    anywhere ? 0 : file_byte(record->offset + i);
}

static void set_vector(struct record *record, unsigned int selector)
{
	unsigned int nr = 1 + selector % 4, len = record->len, at = 0;

	if (!record->iov)
		record->iov = calloc(4, sizeof(*record->iov));
	for (unsigned int i = 0; i < nr; i++) {
		unsigned int part = i + 1 < nr ? len / nr : len - at;

		record->iov[i] = (struct iovec){ record->buffer + at, part };
		at += part;
	}
	record->iocb.aio_buf = (uintptr_t)record->iov;
	record->iocb.aio_nbytes = nr;
}

static void set_flags(struct record *record, const uint16_t *arg)
{
	struct iocb *iocb = &record->iocb;
	unsigned int few = arg[3] >> 4 & 3, more = arg[3] >> 8;

	if (few == 1) {
		iocb->aio_flags |= IOCB_FLAG_RESFD;
		iocb->aio_resfd = file_of(EVENTFD)->fd;
	}
	if (few == 2) {
		iocb->aio_flags |= RAIO_IOCB_FLAG_DEADLINE;
		record->deadline = (struct raio_deadline){
			.time.tv_nsec = (uint64_t)(arg[5] % 64) * 200000,
			.flags = arg[5] & 0x80 ? RAIO_DEADLINE_ABS : 0,
		};
		iocb->aio_reserved2 = (uintptr_t)&record->deadline;
	}
	if (few == 3 || more & 1)
		iocb->aio_flags |= more & 2 || few == 3 ? RAIO_IOCB_FLAG_BARRIER : 0;
	if (more & 4) {
		iocb->aio_flags |= RAIO_IOCB_FLAG_FIXED_FILE;
		iocb->aio_fildes = arg[2] % KINDS;
	}
	if (more & 8) {
		iocb->aio_flags |= RAIO_IOCB_FLAG_FIXED_BUFFER;
		if (few == 2)
			record->deadline.buffer = 8;
		else
			iocb->aio_reserved2 = 8;
	}
	if (more & 16)
		iocb->aio_flags |= is_read(iocb->aio_lio_opcode) || is_write(iocb->aio_lio_opcode) ?
				   RAIO_IOCB_FLAG_CUR_POS : RAIO_IOCB_FLAG_RANGE;
	if (iocb->aio_flags & RAIO_IOCB_FLAG_CUR_POS)
		iocb->aio_offset = -1;
	iocb->aio_rw_flags = rwf[more >> 5 & 7];
	if (iocb->aio_lio_opcode == IOCB_CMD_POLL)
		iocb->aio_rw_flags = 0;
	if (iocb->aio_lio_opcode == RAIO_CMD_SYNC_FILE_RANGE)
		iocb->aio_rw_flags = more >> 5 & 7;
	if (arg[5] >> 12 == 1) {
		iocb->aio_flags |= IOCB_FLAG_IOPRIO;
		iocb->aio_reqprio = arg[5] & 0xfff;
	}
}

static struct iocb *corrupt(struct context *context, struct record *record, uint16_t how)
{
	uint8_t *bytes = (uint8_t *)&record->iocb;
	unsigned int at = 8 + how % (sizeof(record->iocb) - 8);

	switch (how >> 6 & 0x1f) {
	case 27:
		/* Others write there, and the key can't be. */
		return hostile_copy(how, &record->iocb, sizeof(record->iocb));
	case 28:
		/* A buffer that is valid by chance is another record's, or who checks keeps it. */
		if (at >= offsetof(struct iocb, aio_buf) && at < offsetof(struct iocb, aio_offset))
			at |= 6;
		bytes[at] ^= 1 << (how >> 11 & 7);
		return &record->iocb;
	case 29:
		/* Whatever is there. */
		context->tampered = true;
		return memory_at(how);
	case 30:
		record->iocb.aio_fildes = how & 1 ? -1 : 999;
		return &record->iocb;
	case 31:
		return NULL;
	default:
		return &record->iocb;
	}
}

static void note_reader(struct record *record, const struct context *context)
{
	unsigned int kind = record->file - files;
	unsigned int me = context->number * (THREADS + 1) + thread_number + 1, none = 0;

	if (!record->check)
		streams[kind].mixed = true;
	else if (!atomic_compare_exchange_strong(&streams[kind].reader, &none, me) && none != me)
		streams[kind].mixed = true;
}

static struct iocb *make(struct context *context, struct record *record, unsigned int index,
			 const uint16_t *arg)
{
	unsigned int selector = arg[4];
	struct iocb *iocb = &record->iocb;
	bool data;

	memset(iocb, 0, sizeof(*iocb));
	record->serial = atomic_fetch_add(&context->serial, 1);
	record->cookie = MAGIC << 48 | (uint64_t)context->number << 32 | index << 16 |
			 (record->serial & 0xffff);
	record->file = file_get(arg[2]);
	record->thread = thread_number;
	record->buffer = context->memory + (size_t)index * BUFFER;
	record->offset = offsets[selector >> 3 & 15];
	record->len = sizes[selector & 7];
	iocb->aio_data = record->cookie;
	iocb->aio_lio_opcode = opcodes[arg[3] & 15];
	iocb->aio_fildes = record->file->fd;
	iocb->aio_offset = record->offset;
	data = is_read(iocb->aio_lio_opcode) || is_write(iocb->aio_lio_opcode);
	if (record->len > BUFFER || (selector >> 8 & 7) == 7) {
		/* of others as well: it is not looked at, and nothing is written from it */
		record->check = false;
		if (is_write(iocb->aio_lio_opcode))
			record->len = 512;
	} else {
		record->check = is_read(iocb->aio_lio_opcode);
	}
	if (record->check || is_write(iocb->aio_lio_opcode))
		iocb->aio_buf = (uintptr_t)record->buffer;
	else if (data)
		iocb->aio_buf = (uintptr_t)memory_at(selector >> 8);
	else if (iocb->aio_lio_opcode == IOCB_CMD_POLL)
		iocb->aio_buf = selector & 0x3f;
	if (data || iocb->aio_lio_opcode == RAIO_CMD_SYNC_FILE_RANGE)
		iocb->aio_nbytes = record->len;
	else
		iocb->aio_offset = 0;
	if (data && iocb->aio_lio_opcode >= IOCB_CMD_PREADV &&
	    iocb->aio_buf == (uintptr_t)record->buffer)
		set_vector(record, selector >> 11);
	set_flags(record, arg);
	if (iocb->aio_lio_opcode == IOCB_CMD_POLL)
		record->check = false;
	if (record->check || is_write(iocb->aio_lio_opcode)) {
		bool anywhere = iocb->aio_flags & RAIO_IOCB_FLAG_CUR_POS || arg[5] >> 6 >= 27 ||
				iocb->aio_rw_flags & 0x10;

		fill_buffer(record, anywhere);
		record->check &= !anywhere || record->file->stream;
		record->check &= (arg[5] >> 6 & 0x1f) < 27;
		record->check &= record->file->stream || (record->file->pattern &&
							  record->offset <= FILE_SIZE);
	}
	if (is_read(iocb->aio_lio_opcode) && record->file->stream)
		note_reader(record, context);
	return corrupt(context, record, arg[5]);
}

unsigned int requests_make(struct context *context, unsigned int n, const uint16_t *arg,
			   struct iocb **list, struct record **records)
{
	uint16_t own[ARGS];
	unsigned int made;

	memcpy(own, arg, sizeof(own));
	for (made = 0; made < n; made++) {
		unsigned int index;
		struct record *record = record_get(context, &index);

		if (!record)
			break;
		atomic_store(&record->refs, 2);
		atomic_store(&record->over, false);
		/* Before it is submitted: its event may be seen before that has returned. */
		atomic_store(&record->pending, true);
		record->address = make(context, record, index, own);
		list[made] = record->address;
		records[made] = record;
		own[4] += 8;
		/* There is one such place for a thread. */
		if ((own[5] >> 6 & 0x1f) == 27)
			own[5] &= 0x3f;
		if (own[5] & 0x20)
			own[2] += 1 + (own[5] & 7);
	}
	return made;
}

void requests_submitted(struct context *context, struct record **records, unsigned int n,
			long taken)
{
	for (unsigned int i = 0; i < n; i++) {
		struct record *record = records[i];

		if ((long)i < taken) {
			atomic_fetch_add(&shared->taken, 1);
			atomic_fetch_add(&context->outstanding, 1);
		} else {
			if (!atomic_exchange(&record->pending, false) && !context->tampered)
				wrong("an event of number %u of %u, and %ld were taken", i, n,
				      taken);
			request_put(context, record);
		}
		request_put(context, record);
	}
}

static void check_file(const struct record *record, unsigned int n)
{
	for (unsigned int i = 0; i < n && record->offset + i < FILE_SIZE; i++) {
		uint8_t seen = record->buffer[i];

		if (seen && seen != file_byte(record->offset + i))
			wrong("file %td: byte %u of a read at %llu is %#x, not %#x",
			      record->file - files, i, (unsigned long long)record->offset, seen,
			      file_byte(record->offset + i));
	}
}

static void check_stream(const struct record *record, unsigned int n)
{
	unsigned int kind = record->file - files;
	typeof(&streams[0]) stream = &streams[kind];

	for (unsigned int i = 1; i < n; i++)
		if (record->buffer[i] != (uint8_t)(record->buffer[i - 1] + 1))
			wrong("stream %u: byte %u of a read is %#x after %#x", kind, i,
			      record->buffer[i], record->buffer[i - 1]);
	pthread_mutex_lock(&stream->lock);
	if (stream->nr < MAX_PIECES)
		stream->pieces[stream->nr++] = (struct piece){
			record->serial, record->buffer[0], record->buffer[n - 1],
		};
	else
		stream->mixed = true;
	pthread_mutex_unlock(&stream->lock);
}

static void check_data(const struct record *record, long long res)
{
	if (!record->check || record->file->unchecked)
		return;
	if (res > record->len)
		wrong("a read of %u bytes gave %lld", record->len, res);
	if (res <= 0)
		return;
	if (record->file->stream)
		check_stream(record, res);
	else
		check_file(record, res);
	for (unsigned int i = res; i < record->len && !record->file->is_direct; i++)
		if (record->buffer[i] != FILLER)
			wrong("file %td: a read of %u bytes at %llu gave %lld, and byte %u is %#x",
			      record->file - files, record->len, (unsigned long long)record->offset,
			      res, i, record->buffer[i]);
	atomic_fetch_add(&shared->checked, 1);
	atomic_fetch_add(&shared->checked_bytes, res);
}

static bool event_seen(const struct io_event *event, bool by_cancel)
{
	unsigned int number = event->data >> 32 & 0xffff, index = event->data >> 16 & 0xffff;
	struct context *context = number < MAX_CONTEXTS ? all[number] : NULL;
	struct record *record;

	if (is_tampered() && event->data >> 48 != MAGIC)
		return false;
	if (event->data >> 48 != MAGIC || !context || index >= RECORDS)
		wrong("an event of nobody: data %#llx, res %lld", (unsigned long long)event->data,
		      (long long)event->res);
	if (context->tampered)
		return false;
	record = &context->records[index];
	if (record->cookie != event->data || !atomic_exchange(&record->pending, false))
		wrong("a second event: data %#llx, obj %#llx, res %lld",
		      (unsigned long long)event->data, (unsigned long long)event->obj,
		      (long long)event->res);
	if (event->obj != (uintptr_t)record->address)
		wrong("obj is %#llx, not %p", (unsigned long long)event->obj,
		      (void *)record->address);
	if (event->res < -4095 || event->res > 0x7ffff000LL)
		wrong("res is %lld", (long long)event->res);
	if (event->res2 && (event->res != -ETIME ||
			    !(record->iocb.aio_flags & RAIO_IOCB_FLAG_DEADLINE)))
		wrong("res2 is %lld, res %lld", (long long)event->res2, (long long)event->res);
	if (event->res2 || event->res == -EFAULT)
		streams[record->file - files].mixed = true;
	check_data(record, event->res);
	atomic_fetch_add(by_cancel ? &shared->cancelled : &shared->events, 1);
	atomic_fetch_sub(&context->outstanding, 1);
	request_put(context, record);
	return true;
}

void events_seen(const struct io_event *events, long n)
{
	for (long i = 0; i < n; i++)
		event_seen(&events[i], false);
}

void cancel_seen(struct context *context, const struct io_event *event)
{
	if (!context->tampered)
		event_seen(event, true);
}

struct record *request_pending(struct context *context, unsigned int selector)
{
	for (unsigned int i = 0; i < RECORDS; i++) {
		unsigned int index = (selector + i) % RECORDS;

		if (context->taken[index / 64] >> index % 64 & 1 && context->records[index].pending)
			return &context->records[index];
	}
	return NULL;
}

/* Whoever destroys a context loses what it has read. */
void note_lost(void)
{
	for (unsigned int i = 0; i < KINDS; i++)
		streams[i].mixed = true;
}

static int by_serial(const void *a, const void *b)
{
	const struct piece *one = a, *other = b;

	return one->serial < other->serial ? -1 : one->serial > other->serial;
}

/* The reads of a stream by one thread, in one context, are served in the order of submission. */
void order_check(void)
{
	static const enum kind_id kept[] = { PIPE, UNIX, TCP };

	for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++) {
		typeof(&streams[0]) stream = &streams[kept[i]];
		struct piece *pieces = stream->pieces;

		if (stream->mixed || files[kept[i]].unchecked || is_tampered())
			continue;
		qsort(pieces, stream->nr, sizeof(*pieces), by_serial);
		for (unsigned int j = 1; j < stream->nr; j++) {
			if (pieces[j].first != (uint8_t)(pieces[j - 1].last + 1))
				wrong("stream %u: read %u begins with %#x, after %#x", kept[i],
				      pieces[j].serial, pieces[j].first, pieces[j - 1].last);
			atomic_fetch_add(&shared->ordered, 1);
		}
	}
}
