/**
 * Every hard bound of sealstream, with its unit and its reason. Configured values stay inside
 * these; nothing here can be configured.
 */

const KIB = 1024
const MIB = 1024 * KIB

/** S3 refuses a multipart part below 5 MiB unless it is the last one. */
export const PART_BYTES_MIN = 5 * MIB

/** One part is one worker task; larger ones only cost memory and latency. */
export const PART_BYTES_MAX = 64 * MIB

/**
 * Below 5 GiB an object can be replaced by one server-side copy; in parts of 5 MiB and more it stays
 * far from the 10,000 that S3 takes.
 */
export const SEGMENT_BYTES_MAX = 4 * 1024 * MIB

/** Frames of one segment: bounds a footer, a Cassandra partition and a key's invocations. */
export const SEGMENT_MESSAGES_MAX = 2 ** 20

/** The largest plaintext message that one frame may hold (key, value and headers together). */
export const MESSAGE_BYTES_MAX = 64 * MIB

/** What a compressed record batch may become: room for the largest message, an end for a bomb. */
export const RECORD_BATCH_BYTES_MAX = 2 * MESSAGE_BYTES_MAX

/** SP 800-38D allows 2^32 invocations of one GCM key; a DEK may never seal more messages. */
export const DEK_MESSAGES_MAX = 2 ** 32 - 1

/** A window may not outlive a day: a leaked DEK must not reveal more. */
export const DEK_AGE_MS_MAX = 24 * 60 * 60 * 1000

/** The most that segment.publishWithinMs can be: no message goes into a segment that is older. */
export const SEGMENT_OPEN_MS_MAX = 24 * 60 * 60 * 1000

/** Bytes of a data key, an AES-256 key. */
export const DEK_BYTES = 32

/** A wrapped DEK must leave room for the rest of the metadata. */
export const WRAPPED_DEK_BYTES_MAX = 1024

/** What S3 takes of user metadata in all: the bytes of names and values. */
export const METADATA_BYTES_MAX = 2048

/** Percent-encoded, a key domain is a step of an object key; servers take 255 bytes for one. */
export const KEY_DOMAIN_BYTES_MAX = 80

/** Distinct (topic, partition) pairs that one segment may hold. */
export const SOURCES_PER_SEGMENT_MAX = 4096

/** Kafka's own bound on topic names. */
export const TOPIC_NAME_LENGTH_MAX = 249

/** Kafka stores at most 65,535 headers in the u16 of a parcel. */
export const HEADERS_PER_MESSAGE_MAX = 0xffff
