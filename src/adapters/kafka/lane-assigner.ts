import type { PartitionAssigner } from 'kafkajs'
import { laneOf } from '../../pipeline/message-source.ts'
import { loadKafkajs } from './load-kafkajs.ts'

/**
 * Gives whole lanes to the members of the group, never single partitions: a lane has one writer.
 * The number of lanes is part of the protocol's name, so members that disagree cannot join.
 */
export function laneAssigner(lanes: number): PartitionAssigner {
  const { AssignerProtocol } = loadKafkajs()
  const name = `sealstream-lanes-${lanes}`
  return ({ cluster }) => ({
    name,
    version: 0,
    async assign({ members, topics }) {
      const owners = members.map(({ memberId }) => memberId).sort()
      const assignments = owners.map(() => new Map<string, number[]>())
      for (const topic of topics) {
        for (const { partitionId } of cluster.findTopicPartitionMetadata(topic)) {
          const lane = laneOf({ topic, partition: partitionId }, lanes)
          const assignment = assignments[lane % owners.length] as Map<string, number[]>
          assignment.set(topic, [...(assignment.get(topic) ?? []), partitionId])
        }
      }
      return owners.map((memberId, i) => ({
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version: 0,
          assignment: Object.fromEntries(assignments[i] ?? []),
          userData: Buffer.alloc(0),
        }),
      }))
    },
    protocol({ topics }) {
      return {
        name,
        metadata: AssignerProtocol.MemberMetadata.encode({
          version: 0,
          topics,
          userData: Buffer.alloc(0),
        }),
      }
    },
  })
}
