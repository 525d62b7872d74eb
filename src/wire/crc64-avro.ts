/** The fingerprint of the empty text, which is also the polynomial (Avro 1.12 specification, "Schema Fingerprints"). */
const EMPTY = 0xc15d213aa4d7a795n

/** CRC-64-AVRO (Rabin) of `bytes` as an unsigned 64-bit number. */
export function crc64Avro(bytes: Uint8Array): bigint {
  const table = Array.from({ length: 256 }, (_, byte) => {
    let entry = BigInt(byte)
    for (let bit = 0; bit < 8; bit++) entry = entry & 1n ? (entry >> 1n) ^ EMPTY : entry >> 1n
    return entry
  })
  let crc = EMPTY
  for (const byte of bytes) crc = (crc >> 8n) ^ table[Number(crc & 0xffn) ^ byte]!
  return crc
}
