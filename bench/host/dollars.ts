import { costUsdOf, LIST_PRICES, STANDING_PRICES } from '../../src/service-costs.ts'

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
  const { messages, s3Writes, s3Reads, kmsCalls, cpuSeconds } = usage
  const share = 1e6 / messages
  const usd = (asked: { s3Writes?: number; s3Reads?: number; kmsCalls?: number }) =>
    costUsdOf({ s3Writes: 0, s3Reads: 0, kmsCalls: 0, ...asked }, LIST_PRICES) * share
  return {
    s3Requests: usd({ s3Writes, s3Reads }),
    kmsCalls: usd({ kmsCalls }),
    encryptorCpu: (cpuSeconds / 3600) * STANDING_PRICES.usdPerCoreHour * share,
  }
}
