import { feedReferences } from '../../src/adapters/kafka/kafka-reference-feed.ts'
import { createReader, parseReferences, type Reference } from '../../src/index.ts'
import { benchEnd } from '../bench-end.ts'
import type { BenchStack } from '../bench-stack.ts'
import { type ServiceCost, serviceCost } from './service-cost.ts'

const POINTS = 200
const IN_ORDER = 20_000
const SLICE = 2_000
/** Takes every reference in turn without a pattern, being prime. */
const STRIDE = 7_919

/** What opening a message costs: alone, wherever it is, or many in their order. */
export interface OpeningCosts {
  readonly point: ServiceCost
  readonly sequential: ServiceCost
}

/** Opens messages of a topic that was sealed with this prefix. */
export async function opening(
  stack: BenchStack,
  topic: string,
  prefix: string,
  repeats: number,
): Promise<OpeningCosts> {
  const references = await referencesOf(stack, topic)
  const { keyId, ...kms } = stack.kms
  const s3 = { ...stack.s3, prefix }
  const reader = createReader({ s3, kms: { ...kms, allowedKeyIds: [keyId] } })
  try {
    let at = 0
    const point = await serviceCost(stack, ['s3'], repeats, async () => {
      for (let i = 0; i < POINTS; i++) {
        at = (at + STRIDE) % references.length
        await reader.openReference(references[at] as Reference)
      }
      return POINTS
    })
    const inOrder = references.slice(0, IN_ORDER)
    const sequential = await serviceCost(stack, ['s3'], repeats, async () => {
      for (let from = 0; from < inOrder.length; from += SLICE) {
        await reader.openReferences(inOrder.slice(from, from + SLICE))
      }
      return inOrder.length
    })
    return { point, sequential }
  } finally {
    await reader.close()
  }
}

async function referencesOf({ kafka: { brokers } }: BenchStack, topic: string) {
  const references: Reference[] = []
  const client = { brokers, clientId: 'bench', requestTimeoutMs: 30_000 }
  const feed = { topic: `${topic}.sealed`, from: 'beginning', follow: false } as const
  await feedReferences({ ...client, ...feed, signal: benchEnd() }, async (values) => {
    for (const value of values) references.push(...parseReferences(value))
  })
  return references
}
