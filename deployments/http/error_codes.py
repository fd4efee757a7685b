"""The error codes of the API: the HTTP status, title and hint of each."""

from typing import NamedTuple


class ProblemKind(NamedTuple):
    """The HTTP status of a code, its title, and how to resolve the problem."""

    status: int
    title: str
    hint: str


KINDS: dict[str, ProblemKind] = {
    "malformed_request": ProblemKind(
        400, "Malformed request", "Send a JSON body, and a path and headers that are valid HTTP."
    ),
    "bad_signature": ProblemKind(
        400,
        "Invalid webhook signature",
        "Only the payment provider sends events here, each signed within the last five minutes.",
    ),
    "no_such_price": ProblemKind(400, "No plan has this price", "Send the price of a plan as `GET /plans` lists it."),
    "unauthenticated": ProblemKind(
        401,
        "Not authenticated",
        "Sign in or refresh, and send `Authorization: Bearer <access token>`; a device sends its own credential.",
    ),
    "wrong_credentials": ProblemKind(
        401, "Wrong e-mail address or password", "Try again, or set a new password with `POST /password/forgot`."
    ),
    "session_over": ProblemKind(401, "Session ended", "Sign in again."),
    "forbidden": ProblemKind(
        403,
        "Permission denied",
        "Use an account with the role that `detail` names; after a role was given, refresh the token.",
    ),
    "not_confirmed": ProblemKind(
        403,
        "E-mail address not confirmed",
        "Enter the code from the e-mail (`POST /sign-up/confirm`), or request a new code (`POST /sign-up/resend`).",
    ),
    "new_password_needed": ProblemKind(
        403, "New password required", "Set a new password with `POST /password/forgot`."
    ),
    "account_disabled": ProblemKind(403, "Account disabled", "An admin can enable the account again."),
    "gate_of_another_gym": ProblemKind(403, "Gate of another gym", "Scan with a device of that gym."),
    "not_found": ProblemKind(404, "Not found", "The API documentation lists all paths."),
    "unknown_gym": ProblemKind(
        404, "Gym not found", "Look the id up in `GET /gyms`; only staff see a retired gym, and nobody can change it."
    ),
    "unknown_gate": ProblemKind(404, "Gate not found", "Look the id up in `GET /gyms/{gym_id}/gates`."),
    "unknown_device": ProblemKind(404, "Device not found", "Look the id up in `GET /gates/{gate_id}/devices`."),
    "unknown_machine": ProblemKind(404, "Machine not found", "Look the id up in `GET /gyms/{gym_id}/machines`."),
    "unknown_conflict": ProblemKind(
        404, "Conflict not found", "Look the id up in `GET /gyms/{gym_id}/conflicts`; an annulled scan has no conflict."
    ),
    "unknown_pairing": ProblemKind(
        404, "Pairing not found", "A code works once, for ten minutes: create a new pairing at the gate."
    ),
    "unknown_image": ProblemKind(404, "Picture not found", "Use the current picture address of the machine or member."),
    "unknown_user": ProblemKind(
        404, "User not found", "Look the id up in `GET /users`; a user appears there after the first sign-in."
    ),
    "unknown_session": ProblemKind(404, "Session not found", "Look the id up in `GET /me/sessions`."),
    "unknown_scan": ProblemKind(
        404,
        "Scan not found",
        "No decision exists for this id, or another device made the scan. Send the scan again, or drop it.",
    ),
    "unknown_plan": ProblemKind(
        404, "Plan not found", "Look the id up in `GET /plans`; a retired plan is no longer for sale."
    ),
    "unknown_order": ProblemKind(404, "Order not found", "Look the id up in `GET /me/orders`."),
    "unknown_invoice": ProblemKind(404, "Invoice not found", "Look the id up in `GET /me/invoices`."),
    "unknown_membership": ProblemKind(
        404, "Membership not found", "Look the id up in `GET /members/{member_id}/membership`."
    ),
    "method_not_allowed": ProblemKind(405, "Method not allowed", "The `Allow` header lists the methods of this path."),
    "body_too_slow": ProblemKind(408, "Request body timed out", "Send the request again on a better connection."),
    "scan_id_reused": ProblemKind(409, "Scan id already used", "Use a new scan id for each new scan."),
    "request_id_reused": ProblemKind(409, "Request id already used", "Use a new request id for each new request."),
    "ambiguous_scan_id": ProblemKind(
        409, "Several scans have this id", "Use the `id` of the scan as `GET /gyms/{gym_id}/scans` lists it."
    ),
    "annul_window_over": ProblemKind(409, "Too late to annul", "Staff can still annul the scan, with a reason."),
    "gate_name_taken": ProblemKind(409, "Gate name already used", "Choose a name that no other gate of the gym has."),
    "gym_in_use": ProblemKind(
        409, "Gym in use", "Retire the gym instead (`POST /gyms/{gym_id}/retire`): its history is kept."
    ),
    "gym_not_empty": ProblemKind(
        409,
        "Gym not empty",
        "Retire the gym after everybody has left (`GET /gyms/{gym_id}/inside` lists them), or with `?force=true`.",
    ),
    "machine_in_use": ProblemKind(409, "Machine in use", "Delete the machine when it is free, or retire it."),
    "email_in_use": ProblemKind(
        409, "E-mail address already used", "Sign in with the account that has this address; staff can help."
    ),
    "last_admin": ProblemKind(409, "Last admin", "Make somebody else an admin first."),
    "plan_sold": ProblemKind(
        409, "Plan already sold", "Create another plan and retire this one: sold plans stay as they are."
    ),
    "nothing_to_freeze": ProblemKind(409, "No membership to freeze", "Buy or renew a membership first."),
    "already_frozen": ProblemKind(409, "Already frozen", "End the current freeze first: `DELETE …/freezes/current`."),
    "not_frozen": ProblemKind(409, "Not frozen", "There is no freeze to end."),
    "membership_suspended": ProblemKind(
        409, "Membership suspended", "A payment is disputed. Wait for the decision of the bank, or contact the staff."
    ),
    "membership_too_long": ProblemKind(
        409, "Membership too long", "`detail` names the latest possible end and the number of days that fit."
    ),
    "order_not_paid": ProblemKind(409, "Order not paid", "`GET /orders/{order_id}` shows the state of the order."),
    "order_disputed": ProblemKind(409, "Payment disputed", "Refund the order after the bank has closed the dispute."),
    "refund_too_large": ProblemKind(409, "Refund too large", "`detail` names the amount that can still be refunded."),
    "too_many_open_orders": ProblemKind(
        409, "Too many open orders", "Wait until a payment that is being processed has arrived."
    ),
    "not_reversible": ProblemKind(409, "Payment not reversible", "Refund the order instead: `POST …/refunds`."),
    "idempotency_key_in_use": ProblemKind(
        409, "Idempotency key in use", "The same request is running. Repeat it after `Retry-After`."
    ),
    "changed_meanwhile": ProblemKind(
        412, "Version conflict", "Read the object again, and send its new `ETag` as `If-Match`."
    ),
    "body_too_large": ProblemKind(413, "Request body too large", "Send less; `detail` names the limit."),
    "image_too_large": ProblemKind(413, "Picture too large", "Send a smaller file; `detail` names the limit."),
    "unsupported_media_type": ProblemKind(
        415,
        "Unsupported media type",
        "Send `Content-Type: application/json`; for a picture, one of the types that `detail` names.",
    ),
    "invalid_request": ProblemKind(422, "Invalid request", "`fields` lists each invalid field with the reason."),
    "image_unreadable": ProblemKind(
        422, "Picture not readable", "Send a JPEG, PNG or WebP picture; `detail` says more."
    ),
    "freeze_too_long": ProblemKind(
        422, "Freeze not possible", "`detail` names the limits; an admin can freeze for longer."
    ),
    "price_not_payable": ProblemKind(
        422, "Price not payable", "`detail` names the rule of the currency and amounts that follow it."
    ),
    "amount_not_payable": ProblemKind(
        422, "Amount not refundable", "`detail` names the rule of the currency and amounts that follow it."
    ),
    "foreign_url": ProblemKind(422, "URL not allowed", "Use a page of this installation or of an allowed origin."),
    "direction_not_served": ProblemKind(
        422, "Direction not served", "Use a gate that serves this direction, or scan in the other direction."
    ),
    "hours_do_not_fit": ProblemKind(
        422, "Invalid opening hours", "`detail` names each invalid span and how to correct it."
    ),
    "count_not_plausible": ProblemKind(
        422, "Head count not plausible", "Count again. The maximum is three times the capacity, plus 50."
    ),
    "wrong_code": ProblemKind(422, "Wrong code", "Use the code of the newest e-mail, or request a new code."),
    "weak_password": ProblemKind(422, "Weak password", "`detail` names the rules for passwords."),
    "idempotency_key_reused": ProblemKind(422, "Idempotency key already used", "Use a new key for each new request."),
    "precondition_required": ProblemKind(428, "Precondition required", "Send the `ETag` that was read as `If-Match`."),
    "too_many_scans": ProblemKind(429, "Too many scans", "Slow down. Continue after `Retry-After`."),
    "too_many_requests": ProblemKind(429, "Too many requests", "Slow down. Continue after `Retry-After`."),
    "too_many_attempts": ProblemKind(
        429, "Too many failed attempts", "Wait for `Retry-After`. Each failed attempt makes the wait longer."
    ),
    "payment_refused": ProblemKind(
        502, "Payment provider refused", "`detail` quotes the payment provider; the staff can help."
    ),
    "internal_error": ProblemKind(
        500, "Internal error", "Report the `request_id`: it identifies the error in the log."
    ),
    "no_answer_in_time": ProblemKind(
        503, "No answer in time", "Send the same request again, with the same ids, until it is answered."
    ),
    "count_too_late": ProblemKind(503, "Head count too late", "Count again, with a new id."),
    "busy": ProblemKind(503, "Service busy", "Repeat the request after `Retry-After`."),
    "unavailable": ProblemKind(503, "Service unavailable", "Repeat the request after `Retry-After`."),
    "payments_disabled": ProblemKind(
        503, "Payments not configured", "Pay at the front desk. An operator configures the payment keys."
    ),
    "images_away": ProblemKind(503, "Picture store unavailable", "Repeat the request after `Retry-After`."),
    "not_decided": ProblemKind(503, "Scan not decided", "Send the same request again, with the same ids."),
}
"""Every code of the API, with the problem codes of the domain among them."""
