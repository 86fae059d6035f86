/** What a job asks of services that charge by the request. */
export interface ServiceUse {
  readonly kmsCalls: number
  readonly s3Reads: number
  /** Writes and lists, which cost the same; removals cost nothing. */
  readonly s3Writes: number
}

/** What requests cost. */
export interface Prices {
  readonly usdPer10kKmsCalls: number
  readonly usdPer10kS3Reads: number
  readonly usdPer1kS3Writes: number
}

/**
 * What AWS asks in us-east-1 for symmetric requests and the storage class Standard, without free tiers and discounts: its
 * public price lists as of June 2026, looked up in November 2026. Most regions ask the same, some up to twice as much.
 */
export const LIST_PRICES: Prices = {
  usdPer10kKmsCalls: 0.03,
  usdPer10kS3Reads: 0.004,
  usdPer1kS3Writes: 0.005,
}

/** What is asked by the month, in the same place and from the same lists: what is kept, and machines. */
export const STANDING_PRICES = {
  /** Each up to so many GB (2^30 bytes), the last one for all above. */
  s3Storage: [
    { gbMax: 50 * 1024, usdPerGb: 0.023 },
    { gbMax: 500 * 1024, usdPerGb: 0.022 },
    { gbMax: Number.POSITIVE_INFINITY, usdPerGb: 0.021 },
  ],
  /** One KEK, whatever it does. */
  usdPerKek: 1,
  /** gp3, with the 3,000 operations and 125 MB a second that are part of it. */
  usdPerGbDisk: 0.08,
  /** Half a c7i.large, on demand. */
  usdPerCoreHour: 0.089_25 / 2,
} as const

/** The smallest quota of symmetric requests that AWS ever gave a region; us-east-1 has a multiple of it. */
export const KMS_QUOTA_PER_SECOND = 5_500

/** A hundredth of the smallest quota of AWS; sealing and reading have the rest. */
export const KMS_CALLS_PER_SECOND = 50

/** What S3 takes of writes a second under one prefix before it has divided it further. */
export const S3_WRITES_PER_PREFIX_SECOND = 3_500

/** The price of what a job asks. */
export function costUsdOf(
  { kmsCalls, s3Reads, s3Writes }: ServiceUse,
  { usdPer10kKmsCalls, usdPer10kS3Reads, usdPer1kS3Writes }: Prices,
): number {
  const ofKms = (kmsCalls / 10_000) * usdPer10kKmsCalls
  return ofKms + (s3Reads / 10_000) * usdPer10kS3Reads + (s3Writes / 1_000) * usdPer1kS3Writes
}

/** The price of keeping so many bytes for a month. */
export function storageUsdOf(bytes: number): number {
  const gb = bytes / 2 ** 30
  let [below, usd] = [0, 0]
  for (const { gbMax, usdPerGb } of STANDING_PRICES.s3Storage) {
    usd += Math.max(0, Math.min(gb, gbMax) - below) * usdPerGb
    below = gbMax
  }
  return usd
}
