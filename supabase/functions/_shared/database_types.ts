export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

export type Database = {
  "switchyard_api": {
    Tables: {
      [_ in never]: never;
    };
    Views: {
      [_ in never]: never;
    };
    Functions: {
      "add_sender": { Args: { "actor": Json; "sender": Json; "tenant_id": string }; Returns: Json };
      "advance_conversations": {
        Args: { "at"?: string; "items": Json };
        Returns: {
          "conversation_id": string;
          "outcome": string;
          "refused": number;
        }[];
      };
      "apply_events": {
        Args: { "at"?: string; "items": Json };
        Returns: {
          "applied": boolean;
          "id": number;
        }[];
      };
      "apply_provider_event": {
        Args: { "at"?: string; "event": Json; "provider": string };
        Returns: Json;
      };
      "bump_cache_generation": { Args: { "actor": Json }; Returns: number };
      "cancel_message": {
        Args: { "at"?: string; "message_id": string; "tenant_id": string };
        Returns: Json;
      };
      "capture_wallet_hold": {
        Args: {
          "actor": Json;
          "at"?: string;
          "capture": Json;
          "idempotency": Json;
          "tenant_id": string;
        };
        Returns: Json;
      };
      "change_sender": {
        Args: {
          "actor": Json;
          "at"?: string;
          "changes": Json;
          "phone_number_id": string;
          "tenant_id": string;
        };
        Returns: Json;
      };
      "change_tenant": {
        Args: { "actor": Json; "at"?: string; "changes": Json; "tenant_id": string };
        Returns: Json;
      };
      "claim_callbacks": {
        Args: { "at"?: string; "batch": number; "lease_seconds": number; "per_endpoint": number };
        Returns: {
          "attempt": number;
          "endpoint_id": string;
          "event_at": string;
          "event_id": string;
          "failure_count": number;
          "id": number;
          "order_key": string;
          "payload": Json;
          "secrets": Json;
          "tenant_id": string;
          "type": string;
          "url": string;
        }[];
      };
      "claim_conversations": {
        Args: { "at"?: string; "batch": number; "lease_seconds": number; "machines": (string)[] };
        Returns: {
          "claimed_at": string;
          "conversation_id": string;
          "customer": Json;
          "failure_count": number;
          "machine": string;
          "seq": number;
          "snapshot": Json;
          "steps": Json;
          "tenant_id": string;
          "timers": Json;
          "version": number;
        }[];
      };
      "claim_events": {
        Args: { "at"?: string; "batch": number; "lease_seconds": number };
        Returns: {
          "attempt": number;
          "event_at": string;
          "field": string;
          "id": number;
          "kind": string;
          "payload": Json;
          "queue_entry_id": number;
          "sender_id": string;
          "tenant_id": string;
        }[];
      };
      "claim_media": {
        Args: { "at"?: string; "batch": number; "lease_seconds": number };
        Returns: {
          "action": string;
          "attempt": number;
          "id": number;
          "media_id": string;
          "mime_type": string;
          "path": string;
          "phone_number_id": string;
          "sender_id": string;
          "sha256": string;
          "type": string;
        }[];
      };
      "claim_messages": {
        Args: {
          "at"?: string;
          "batch": number;
          "count_depth_to"?: number;
          "lease_seconds": number;
          "worker": string;
        };
        Returns: {
          "attempt": number;
          "business_account_id": string;
          "cache_generation": number;
          "content": Json;
          "context": Json;
          "credential_version": number;
          "deferral_count": number;
          "depth": number;
          "due_at": string;
          "expires_at": string;
          "failure_count": number;
          "id": string;
          "lane": string;
          "limit_is_of_sender": boolean;
          "limit_messages": number;
          "limit_window_seconds": number;
          "per_second": number;
          "phone_number_id": string;
          "recipient": string;
          "sender_id": string;
          "tenant_id": string;
          "type": string;
        }[];
      };
      "close_change_stream": {
        Args: { "stream_id": string; "tenant_id": string };
        Returns: undefined;
      };
      "compare_meta_analytics": {
        Args: { "actor": Json; "answer": Json; "at"?: string; "dry_run": boolean };
        Returns: Json;
      };
      "count_idempotency_error": { Args: Record<PropertyKey, never>; Returns: undefined };
      "create_api_key": {
        Args: {
          "actor": Json;
          "key_hash": string;
          "key_prefix": string;
          "name": string;
          "role": string;
          "tenant_id": string;
        };
        Returns: Json;
      };
      "create_callback": {
        Args: { "actor": Json; "callback": Json; "secret": string; "tenant_id": string };
        Returns: Json;
      };
      "create_tenant": { Args: { "actor": Json; "name": string; "slug": string }; Returns: Json };
      "create_wallet_account": {
        Args: { "account": Json; "actor": Json; "idempotency": Json; "tenant_id": string };
        Returns: Json;
      };
      "delete_callback": {
        Args: { "actor": Json; "callback_id": string; "tenant_id": string };
        Returns: Json;
      };
      "enqueue_all_or_nothing": {
        Args: { "at"?: string; "messages": Json; "tenant_id": string };
        Returns: {
          "detail": Json;
          "id": string;
          "index": number;
          "outcome": string;
          "planned_send_at": string;
        }[];
      };
      "enqueue_messages": {
        Args: { "at"?: string; "messages": Json; "tenant_id": string };
        Returns: {
          "detail": Json;
          "id": string;
          "index": number;
          "outcome": string;
          "planned_send_at": string;
        }[];
      };
      "find_media": { Args: { "event_id": number; "tenant_id": string }; Returns: Json };
      "get_conversation": {
        Args: { "at"?: string; "conversation_id": string; "tenant_id": string };
        Returns: Json;
      };
      "get_message": { Args: { "message_id": string; "tenant_id": string }; Returns: Json };
      "get_wallet_account": { Args: { "account_id": string; "tenant_id": string }; Returns: Json };
      "get_wallet_hold": { Args: { "hold_id": string; "tenant_id": string }; Returns: Json };
      "get_wallet_rules": {
        Args: { "account_id": string; "at"?: string; "tenant_id": string };
        Returns: Json;
      };
      "health_snapshot": { Args: { "at"?: string }; Returns: Json };
      "hold_callbacks": { Args: { "endpoint_ids": Json; "until": string }; Returns: undefined };
      "hold_senders": {
        Args: { "at"?: string; "for_ms": number; "sender_ids": Json };
        Returns: undefined;
      };
      "import_rate_card": {
        Args: { "actor": Json; "at"?: string; "card": Json; "dry_run": boolean };
        Returns: Json;
      };
      "invalidate_credential": {
        Args: { "actor": Json; "phone_number_id": string };
        Returns: Json;
      };
      "list_api_keys": {
        Args: { "wanted_tenant_id": string };
        Returns: {
          "created_at": string;
          "id": string;
          "last_used_at": string;
          "name": string;
          "prefix": string;
          "revoked_at": string;
          "role": string;
        }[];
      };
      "list_attention": {
        Args: { "wanted_tenant_id": string };
        Returns: {
          "cause": string;
          "detail": Json;
          "phone_number_id": string;
          "raised_at": string;
          "sender_id": string;
          "stops": string;
          "tenant_id": string;
          "until": string;
        }[];
      };
      "list_audit": {
        Args: { "before_id": number; "page_limit": number; "wanted_tenant_id": string };
        Returns: {
          "action": string;
          "actor": Json;
          "at": string;
          "detail": Json;
          "id": number;
          "target": string;
          "tenant_id": string;
        }[];
      };
      "list_callbacks": {
        Args: { "tenant_id": string };
        Returns: {
          "created_at": string;
          "events": Json;
          "failing_since": string;
          "failures": number;
          "id": string;
          "last_failure": Json;
          "previous_secret_until": string;
          "status": string;
          "status_reason": string;
          "url": string;
          "waiting": number;
        }[];
      };
      "list_conversation_messages": {
        Args: {
          "conversation_id": string;
          "cursor": string;
          "page_limit": number;
          "tenant_id": string;
        };
        Returns: Json;
      };
      "list_conversations": {
        Args: {
          "at"?: string;
          "cursor": string;
          "filter": Json;
          "page_limit": number;
          "tenant_id": string;
        };
        Returns: Json;
      };
      "list_dead_letters": {
        Args: {
          "at"?: string;
          "cursor": string;
          "filter": Json;
          "page_limit": number;
          "wanted_tenant_id": string;
        };
        Returns: Json;
      };
      "list_members": {
        Args: { "wanted_tenant_id": string };
        Returns: {
          "created_at": string;
          "role": string;
          "user_id": string;
        }[];
      };
      "list_messages": {
        Args: { "cursor": string; "filter": Json; "page_limit": number; "tenant_id": string };
        Returns: Json;
      };
      "list_quarantine": {
        Args: { "after_id": number; "filter": Json; "page_limit": number };
        Returns: Json;
      };
      "list_rates": {
        Args: { "after_id": number; "at"?: string; "filter": Json; "page_limit": number };
        Returns: Json;
      };
      "list_running_conversations": {
        Args: { "after_id": string; "machine": string; "page_limit": number; "version": number };
        Returns: {
          "conversation_id": string;
          "seq": number;
          "snapshot": Json;
          "timers": Json;
        }[];
      };
      "list_senders": {
        Args: { "wanted_tenant_id": string };
        Returns: {
          "attention": Json;
          "business_account_id": string;
          "display_phone_number": string;
          "id": string;
          "limit": Json;
          "messaging_limit": string;
          "name_decision": string;
          "phone_number_id": string;
          "status": string;
          "throughput_per_second": number;
          "verified_name": string;
        }[];
      };
      "list_templates": {
        Args: { "wanted_tenant_id": string };
        Returns: {
          "business_account_id": string;
          "category": string;
          "effect": string;
          "language": string;
          "name": string;
          "quality": string;
          "reason": string;
          "status": string;
          "status_at": string;
          "template_id": string;
          "waits_until": string;
        }[];
      };
      "list_tenants": {
        Args: { "after_slug": string; "page_limit": number; "search": string };
        Returns: Json;
      };
      "list_wallet_findings": {
        Args: { "page_limit": number };
        Returns: {
          "detail": Json;
          "found_at": string;
          "id": number;
          "last_found_at": string;
          "rule": string;
          "subject": string;
          "tenant_id": string;
        }[];
      };
      "migrate_conversations": {
        Args: { "at"?: string; "items": Json };
        Returns: {
          "conversation_id": string;
          "is_migrated": boolean;
        }[];
      };
      "next_due_at": { Args: Record<PropertyKey, never>; Returns: string };
      "next_due_in_ms": { Args: { "at"?: string }; Returns: number };
      "next_wake_at": { Args: Record<PropertyKey, never>; Returns: string };
      "note_breaker_change": {
        Args: { "action": string; "actor": Json; "scope": string };
        Returns: undefined;
      };
      "offer_machines": {
        Args: { "machines": Json };
        Returns: {
          "id": string;
          "is_accepted": boolean;
          "known_fingerprint": string;
          "version": number;
        }[];
      };
      "open_change_stream": {
        Args: { "at"?: string; "cursor": string; "tenant_id": string };
        Returns: Json;
      };
      "place_wallet_hold": {
        Args: {
          "actor": Json;
          "at"?: string;
          "hold": Json;
          "idempotency": Json;
          "tenant_id": string;
        };
        Returns: Json;
      };
      "place_wallet_holds": {
        Args: { "actor": Json; "at"?: string; "holds": Json; "tenant_id": string };
        Returns: {
          "answer": Json;
          "index": number;
        }[];
      };
      "preview_redrive": {
        Args: {
          "at"?: string;
          "filter": Json;
          "rate_per_second": number;
          "wanted_tenant_id": string;
        };
        Returns: Json;
      };
      "put_off_conversations": { Args: { "at"?: string; "items": Json }; Returns: undefined };
      "read_changes": {
        Args: {
          "at"?: string;
          "cursor": string;
          "page_limit": number;
          "stream_id": string;
          "tenant_id": string;
        };
        Returns: Json;
      };
      "read_credentials": {
        Args: { "sender_ids": Json };
        Returns: {
          "access_token": string;
          "credential_version": number;
          "sender_id": string;
        }[];
      };
      "read_tenant": { Args: { "wanted_tenant_id": string }; Returns: Json };
      "read_wallet_balance": {
        Args: { "account_id": string; "at": string; "tenant_id": string };
        Returns: Json;
      };
      "read_wallet_statement": {
        Args: {
          "account_id": string;
          "after_sequence"?: number;
          "from_at"?: string;
          "page_limit": number;
          "tenant_id": string;
          "to_at"?: string;
        };
        Returns: Json;
      };
      "redrive_dead_letters": {
        Args: {
          "actor": Json;
          "at"?: string;
          "filter": Json;
          "rate_per_second": number;
          "wanted_tenant_id": string;
        };
        Returns: Json;
      };
      "release_held_messages": { Args: { "at"?: string; "scope": string }; Returns: number };
      "release_wallet_hold": {
        Args: {
          "actor": Json;
          "at"?: string;
          "idempotency": Json;
          "release": Json;
          "tenant_id": string;
        };
        Returns: Json;
      };
      "remove_member": {
        Args: { "actor": Json; "tenant_id": string; "user_id": string };
        Returns: Json;
      };
      "remove_sender": {
        Args: { "actor": Json; "at"?: string; "phone_number_id": string; "tenant_id": string };
        Returns: Json;
      };
      "replay_callbacks": {
        Args: {
          "actor": Json;
          "at"?: string;
          "callback_id": string;
          "dry_run": boolean;
          "filter": Json;
          "tenant_id": string;
        };
        Returns: Json;
      };
      "replay_quarantine": {
        Args: {
          "actor": Json;
          "at"?: string;
          "dry_run": boolean;
          "event_ids": Json;
          "filter": Json;
          "splits": Json;
        };
        Returns: Json;
      };
      "resolve_api_key": {
        Args: { "key_hash": string };
        Returns: {
          "key_id": string;
          "role": string;
          "tenant_id": string;
          "tenant_status": string;
        }[];
      };
      "resolve_member": {
        Args: { "wanted_tenant_id": string; "wanted_user_id": string };
        Returns: {
          "role": string;
          "tenant_id": string;
          "tenant_status": string;
        }[];
      };
      "resolve_tenant": {
        Args: { "wanted_tenant_id": string };
        Returns: {
          "tenant_id": string;
          "tenant_status": string;
        }[];
      };
      "resume_sender": {
        Args: { "actor": Json; "at"?: string; "phone_number_id": string; "tenant_id": string };
        Returns: Json;
      };
      "revoke_api_key": {
        Args: { "actor": Json; "at"?: string; "key_id": string; "tenant_id": string };
        Returns: Json;
      };
      "ring_doorbell": { Args: { "function_name": string }; Returns: undefined };
      "rotate_callback_secret": {
        Args: {
          "actor": Json;
          "at"?: string;
          "callback_id": string;
          "secret": string;
          "tenant_id": string;
        };
        Returns: Json;
      };
      "rotate_credential": {
        Args: {
          "access_token": string;
          "actor": Json;
          "phone_number_id": string;
          "tenant_id": string;
        };
        Returns: Json;
      };
      "senders_to_preload": {
        Args: { "most": number };
        Returns: {
          "cache_generation": number;
          "credential_version": number;
          "phone_number_id": string;
          "sender_id": string;
        }[];
      };
      "set_billing": {
        Args: { "actor": Json; "at"?: string; "billing": Json; "tenant_id": string };
        Returns: Json;
      };
      "set_bot": { Args: { "actor": Json; "machine": string; "tenant_id": string }; Returns: Json };
      "set_media": {
        Args: { "actor": Json; "days": number; "keep": string; "tenant_id": string };
        Returns: Json;
      };
      "set_member": {
        Args: { "actor": Json; "role": string; "tenant_id": string; "user_id": string };
        Returns: Json;
      };
      "set_realtime": {
        Args: { "actor": Json; "enabled": boolean; "tenant_id": string };
        Returns: Json;
      };
      "set_wallet_rules": {
        Args: { "account_id": string; "actor": Json; "rules": Json; "tenant_id": string };
        Returns: Json;
      };
      "settle_callbacks": {
        Args: { "at"?: string; "outcomes": Json };
        Returns: {
          "id": number;
          "result": string;
        }[];
      };
      "settle_media": {
        Args: { "at"?: string; "outcomes": Json };
        Returns: {
          "id": number;
          "settled": boolean;
        }[];
      };
      "settle_messages": {
        Args: { "at"?: string; "outcomes": Json };
        Returns: {
          "id": string;
          "settled": boolean;
        }[];
      };
      "store_events": {
        Args: { "at"?: string; "events": Json };
        Returns: {
          "duplicates": number;
          "quarantined": number;
          "stored": number;
        }[];
      };
      "tell_conversation": {
        Args: { "at"?: string; "conversation_id": string; "event": string; "tenant_id": string };
        Returns: string;
      };
      "top_up_account": {
        Args: { "actor": Json; "idempotency": Json; "tenant_id": string; "top_up": Json };
        Returns: Json;
      };
      "transfer_funds": {
        Args: {
          "actor": Json;
          "at"?: string;
          "idempotency": Json;
          "tenant_id": string;
          "transfer": Json;
        };
        Returns: Json;
      };
      "transfer_linked_funds": {
        Args: {
          "actor": Json;
          "at"?: string;
          "idempotency": Json;
          "tenant_id": string;
          "transfers": Json;
        };
        Returns: Json;
      };
      "update_callback": {
        Args: {
          "actor": Json;
          "at"?: string;
          "callback_id": string;
          "changes": Json;
          "tenant_id": string;
        };
        Returns: Json;
      };
      "verify_wallet": {
        Args: { "after_id"?: number; "checkpoint_limit"?: number };
        Returns: Json;
      };
    };
    Enums: {
      [_ in never]: never;
    };
    CompositeTypes: {
      [_ in never]: never;
    };
  };
};

type DatabaseWithoutInternals = Omit<Database, "__InternalSupabase">;

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "switchyard_api">];

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof (
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
    )
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals } ? (
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
  )[TableName] extends {
    Row: infer R;
  } ? R
  : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R;
    } ? R
    : never
  : never;

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends
    {
      Insert: infer I;
    } ? I
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I;
    } ? I
    : never
  : never;

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends
    {
      Update: infer U;
    } ? U
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U;
    } ? U
    : never
  : never;

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never,
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
    ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never;

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never,
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][
    CompositeTypeName
  ]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
    ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never;

export const Constants = {
  "switchyard_api": {
    Enums: {},
  },
} as const;
