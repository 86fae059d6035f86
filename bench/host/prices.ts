/**
 * List prices of AWS in us-east-1, on demand, as known at the end of 2025, in dollars. They are there to weigh
 * requests against CPU; whoever pays others puts them here.
 */
export const PRICES = {
  /** PUT, COPY, POST and LIST. */
  s3Write: 0.005 / 1000,
  s3Read: 0.0004 / 1000,
  kmsCall: 0.03 / 10_000,
  /** Half a c7i.large. */
  coreSecond: 0.089_25 / 2 / 3600,
} as const

/** What a million messages cost of each kind. Storage, Kafka and network between zones are left out. */
export interface Dollars {
  readonly s3Requests: number
  readonly kmsCalls: number
  /** CPU of the encryptor alone. */
  readonly encryptorCpu: number
}

/** What was used. */
export interface Used {
  readonly messages: number
  readonly s3Writes: number
  readonly s3Reads: number
  readonly kmsCalls: number
  readonly cpuSeconds: number
}

/** The price of a million messages. */
export function dollarsPerMillion(usage: Used): Dollars {
  const share = 1e6 / usage.messages
  return {
    s3Requests: (usage.s3Writes * PRICES.s3Write + usage.s3Reads * PRICES.s3Read) * share,
    kmsCalls: usage.kmsCalls * PRICES.kmsCall * share,
    encryptorCpu: usage.cpuSeconds * PRICES.coreSecond * share,
  }
}
