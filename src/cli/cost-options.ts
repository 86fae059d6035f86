import { type Command, InvalidArgumentError } from 'commander'
import { KMS_CALLS_PER_SECOND, LIST_PRICES, type Prices } from '../service-costs.ts'

/** What {@link withKmsOptions} adds to the options of a job. */
export interface KmsOptions {
  readonly kmsPerSecond: number
  readonly usdPer10kCalls: number
}

/** What {@link withS3Prices} adds. */
export interface S3PriceOptions {
  readonly usdPer10kReads: number
  readonly usdPer1kWrites: number
}

/** Adds the budget and the price of calls to the KMS, which every job has that makes many. */
export function withKmsOptions(command: Command): Command {
  return command
    .option(
      '--kms-per-second <calls>',
      'calls to the KMS a second, at most',
      parseRate,
      KMS_CALLS_PER_SECOND,
    )
    .option('--usd-per-10k-calls <usd>', 'their price', parsePrice, LIST_PRICES.usdPer10kKmsCalls)
}

/** Adds the prices of requests to the object store. */
export function withS3Prices(command: Command): Command {
  return command
    .option(
      '--usd-per-10k-reads <usd>',
      'the price of reads of S3',
      parsePrice,
      LIST_PRICES.usdPer10kS3Reads,
    )
    .option(
      '--usd-per-1k-writes <usd>',
      'the price of writes and lists of S3',
      parsePrice,
      LIST_PRICES.usdPer1kS3Writes,
    )
}

/** The prices that the options name; those of AWS for what is no option of the command. */
export function pricesOf(options: KmsOptions & Partial<S3PriceOptions>): Prices {
  return {
    usdPer10kKmsCalls: options.usdPer10kCalls,
    usdPer10kS3Reads: options.usdPer10kReads ?? LIST_PRICES.usdPer10kS3Reads,
    usdPer1kS3Writes: options.usdPer1kWrites ?? LIST_PRICES.usdPer1kS3Writes,
  }
}

function parseRate(text: string): number {
  const rate = Number(text)
  if (Number.isFinite(rate) && rate > 0 && rate <= 100_000) return rate
  throw new InvalidArgumentError('a number of calls up to 100000')
}

function parsePrice(text: string): number {
  const price = Number(text)
  if (text.trim() !== '' && Number.isFinite(price) && price >= 0) return price
  throw new InvalidArgumentError('a price in USD')
}
