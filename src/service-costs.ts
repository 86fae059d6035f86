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

/** What AWS asks in most regions: symmetric requests, and the storage class Standard. */
export const LIST_PRICES: Prices = {
  usdPer10kKmsCalls: 0.03,
  usdPer10kS3Reads: 0.004,
  usdPer1kS3Writes: 0.005,
}

/** A hundredth of the smallest quota of AWS; sealing and reading have the rest. */
export const KMS_CALLS_PER_SECOND = 50

/** The price of what a job asks. */
export function costUsdOf(
  { kmsCalls, s3Reads, s3Writes }: ServiceUse,
  { usdPer10kKmsCalls, usdPer10kS3Reads, usdPer1kS3Writes }: Prices,
): number {
  const ofKms = (kmsCalls / 10_000) * usdPer10kKmsCalls
  return ofKms + (s3Reads / 10_000) * usdPer10kS3Reads + (s3Writes / 1_000) * usdPer1kS3Writes
}
