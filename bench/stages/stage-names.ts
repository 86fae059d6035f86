/** The stages of the road, in their order. */
export const STAGES = ['read', 'pack', 'seal', 'store', 'map', 'publish'] as const

/** One stage of the road. */
export type StageName = (typeof STAGES)[number]
