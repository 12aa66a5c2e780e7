/** One message of a claim that asks whether it may be sent now. */
export interface SendRequest {
  tenantId: string;
  senderId: string;
  recipient: string;
  lane: "urgent" | "normal" | "bulk";
  /**
   * How many times in a row it was put off. Who comes back is not put behind those who wait for their
   * first moment. Wrongly said, it costs others their turn, but never a limit.
   */
  deferrals: number;
  /** The limits in force now; of one tenant or sender in a batch the first one's hold for all. */
  tenantLimit: { messages: number; windowMs: number };
  senderPerSecond: number;
}

/** A message may go now, or is expected back at a moment (epoch ms), and what holds it back until then. */
export type Admission =
  | { admitted: true }
  | { admitted: false; atMs: number; by: "tenant" | "sender" | "pair" };

/** The limits of tenants, senders and recipients, at the moment of sending. */
export interface SendWindows {
  /**
   * Decides on up to 500 messages in their order, in one round trip, within a second and without
   * throwing. What is admitted is counted.
   */
  admit(requests: readonly SendRequest[]): Promise<Admission[]>;
}
