import { SecretBytes } from '../../crypto/secret-bytes.ts'
import type { PartTask, SegmentTask } from '../../pipeline/part-task.ts'

/**
 * A part task as it crosses to a worker thread. The frame key is not copied: both threads see the
 * same memory, which the segment wipes when its last part is done.
 */
export type PartMessage = Omit<PartTask, 'segment'> & {
  readonly segment: Omit<SegmentTask, 'frameKey'> & { readonly frameKey: SharedArrayBuffer }
}

/** The message for a task. */
export function partMessageOf(task: PartTask): PartMessage {
  const { segment } = task
  return { ...task, segment: { ...segment, frameKey: segment.frameKey.share() } }
}

/** The task of a message. Throws SEAL_MALFORMED when its key is none. */
export function partTaskOf(message: PartMessage): PartTask {
  const { segment } = message
  return { ...message, segment: { ...segment, frameKey: SecretBytes.borrow(segment.frameKey) } }
}
