/** Where the parts of a record batch are, in bytes. Source: Kafka's documentation, "Message Format", version 2. */
export const HEADER_BYTES = 61
/** Offset and length. The length counts what follows. */
export const PREFIX_BYTES = 12
export const CHECKSUM_AT = 17
/** The latest timestamp of its messages. */
export const TIMESTAMP_AT = 35
/** The checksum covers everything after it. */
export const CHECKED_FROM = 21
