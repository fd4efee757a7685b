"""The codes of everything that can go wrong with a call: what each is, and what mends it."""

from typing import NamedTuple


class Kind(NamedTuple):
    """The status that a code has, what it is called, and what would mend it."""

    status: int
    title: str
    mend: str


KINDS: dict[str, Kind] = {
    "malformed_request": Kind(
        400, "The request cannot be read", "Send a body that is JSON, and headers and a path that HTTP allows."
    ),
    "bad_signature": Kind(
        400, "The event was not signed for here", "Events come from the payment provider, signed within five minutes."
    ),
    "no_such_price": Kind(400, "No plan has this price", "Send the price of a plan as `GET /plans` lists it."),
    "unauthenticated": Kind(
        401,
        "Who is asking is not known",
        "Sign in or refresh, and send `Authorization: Bearer <access token>`; a device sends its own credential.",
    ),
    "wrong_credentials": Kind(
        401, "The address or the password is wrong", "Try again, or set a new password by `POST /password/forgot`."
    ),
    "session_over": Kind(401, "The session has ended", "Sign in again."),
    "forbidden": Kind(
        403,
        "This is not yours to ask",
        "Ask somebody who has the role that `detail` names; who was given it just now refreshes the token.",
    ),
    "not_confirmed": Kind(
        403,
        "The address is not confirmed yet",
        "Enter the code that was sent (`POST /sign-up/confirm`), or ask for another (`POST /sign-up/resend`).",
    ),
    "new_password_needed": Kind(403, "A new password is needed", "Set a new password by `POST /password/forgot`."),
    "account_disabled": Kind(403, "The account is disabled", "An admin can enable the account again."),
    "gate_of_another_gym": Kind(403, "The gate is of another gym", "Scan with a device of that gym."),
    "not_found": Kind(404, "There is nothing here", "See the paths of the interface's document."),
    "unknown_gym": Kind(
        404, "There is no such gym", "Look the id up in `GET /gyms`; a retired gym is shown to staff, and not changed."
    ),
    "unknown_gate": Kind(404, "There is no such gate", "Look the id up in `GET /gyms/{gym_id}/gates`."),
    "unknown_device": Kind(404, "There is no such device", "Look the id up in `GET /gates/{gate_id}/devices`."),
    "unknown_machine": Kind(404, "There is no such machine", "Look the id up in `GET /gyms/{gym_id}/machines`."),
    "unknown_conflict": Kind(
        404, "There is no such conflict", "Look the id up in `GET /gyms/{gym_id}/conflicts`; an annulled scan has none."
    ),
    "unknown_pairing": Kind(
        404, "There is no such pairing", "A code is good once and for ten minutes: make another at the gate."
    ),
    "unknown_image": Kind(404, "There is no such picture", "Take the address that the machine or the member has now."),
    "unknown_user": Kind(
        404, "There is no such user", "Look the id up in `GET /users`; whoever never signed in is not there yet."
    ),
    "unknown_session": Kind(404, "There is no such session", "Look the id up in `GET /me/sessions`."),
    "unknown_scan": Kind(
        404,
        "There is no decided scan of this id",
        "It was never decided, or is of another device. Send it again, or leave it.",
    ),
    "unknown_plan": Kind(404, "There is no such plan", "Look the id up in `GET /plans`; one that was retired is gone."),
    "unknown_order": Kind(404, "There is no such order", "Look the id up in `GET /me/orders`."),
    "unknown_invoice": Kind(404, "There is no such invoice", "Look the id up in `GET /me/invoices`."),
    "unknown_membership": Kind(
        404, "There is no such membership", "Look the id up in `GET /members/{member_id}/membership`."
    ),
    "method_not_allowed": Kind(405, "The method is not served here", "`Allow` names the methods that are served."),
    "body_too_slow": Kind(408, "The body did not arrive", "Send it again on a better connection."),
    "scan_id_reused": Kind(
        409, "The scan id was used for another question", "Give every new question a scan id of its own."
    ),
    "request_id_reused": Kind(
        409, "The request id was used for another question", "Give every new question an id of its own."
    ),
    "ambiguous_scan_id": Kind(
        409, "Several scans have this id", "Ask by the row's own id, as `GET /gyms/{gym_id}/scans` lists it."
    ),
    "annul_window_over": Kind(409, "It is too late to annul", "Staff may still annul it, with a reason."),
    "gate_name_taken": Kind(409, "The gym has a gate of this name", "Take another name."),
    "gym_in_use": Kind(409, "Something refers to the gym", "Retire it (`POST /gyms/{gym_id}/retire`): its past stays."),
    "gym_not_empty": Kind(
        409,
        "People are inside the gym",
        "Retire it once they have left, or with `?force=true`; `GET /gyms/{gym_id}/inside` names them.",
    ),
    "machine_in_use": Kind(409, "Somebody is on the machine", "Delete it once it is free, or take it out of service."),
    "email_in_use": Kind(
        409, "Another account holds this address", "Sign in with the account that holds the address; staff can help."
    ),
    "last_admin": Kind(409, "Nobody would be left to administer", "Make somebody else an admin first."),
    "plan_sold": Kind(409, "The plan has been sold", "Make another plan, and retire this one: sold ones stay."),
    "nothing_to_freeze": Kind(409, "Nothing is left to freeze", "Buy or prolong the membership first."),
    "already_frozen": Kind(409, "A freeze is there already", "End it first: `DELETE …/freezes/current`."),
    "not_frozen": Kind(409, "Nothing is frozen", "There is nothing to do."),
    "membership_suspended": Kind(
        409, "A payment is disputed", "Wait until its bank has decided, or talk to the staff."
    ),
    "membership_too_long": Kind(
        409, "The membership would end too far ahead", "`detail` names the latest end and how many days fit."
    ),
    "order_not_paid": Kind(409, "The order has no money to give back", "`GET /orders/{order_id}` says where it is."),
    "order_disputed": Kind(409, "The payment is disputed", "Its bank decides; refund it once that is closed."),
    "refund_too_large": Kind(409, "More than was paid", "`detail` says how much can still be given back."),
    "too_many_open_orders": Kind(
        409, "Too many orders wait for their payments", "Wait until a payment that is on its way has arrived."
    ),
    "not_reversible": Kind(409, "The payment cannot be reversed", "Give the money back: `POST …/refunds`."),
    "idempotency_key_in_use": Kind(409, "The same call is under way", "Ask again after `Retry-After`."),
    "changed_meanwhile": Kind(
        412, "It has changed since it was read", "Read it again, and send the new `ETag` as `If-Match`."
    ),
    "body_too_large": Kind(413, "The body is too large", "Send less."),
    "image_too_large": Kind(413, "The picture is too large", "Send a smaller file; `detail` says how large it may be."),
    "unsupported_media_type": Kind(
        415,
        "The body is of another type",
        "Send `Content-Type: application/json`; with a picture, what `detail` names.",
    ),
    "invalid_request": Kind(422, "The request does not fit", "`fields` names each part that does not fit, and why."),
    "image_unreadable": Kind(
        422, "The picture cannot be taken", "Send a JPEG, PNG or WebP picture; `detail` says more."
    ),
    "freeze_too_long": Kind(
        422, "The freeze is not possible so", "`detail` says how long and from when; staff can more."
    ),
    "price_not_payable": Kind(
        422, "The price cannot be charged", "`detail` names the rule of the currency and amounts that follow it."
    ),
    "amount_not_payable": Kind(
        422, "The amount cannot be refunded", "`detail` names the rule of the currency and amounts that follow it."
    ),
    "foreign_url": Kind(
        422, "The address is not one of ours", "Lead back to a page of this installation or of an allowed origin."
    ),
    "direction_not_served": Kind(
        422, "The gate does not serve this direction", "Take a gate that serves this direction, or the other direction."
    ),
    "hours_do_not_fit": Kind(422, "The opening hours do not fit", "`detail` names the spans and what mends each."),
    "count_not_plausible": Kind(
        422, "So many are not believed", "Count again: three times the capacity and fifty more are the most."
    ),
    "wrong_code": Kind(422, "The code is wrong", "Look at the newest mail, or ask for another code."),
    "weak_password": Kind(422, "The password is too easily guessed", "`detail` says what a password needs."),
    "idempotency_key_reused": Kind(422, "The key was used for another call", "Take a new key for each new call."),
    "precondition_required": Kind(
        428, "Which version is to be changed is not said", "Send the `ETag` of what was read as `If-Match`."
    ),
    "too_many_scans": Kind(429, "Too many scans", "Slow down; go on after `Retry-After`."),
    "too_many_requests": Kind(429, "Too many requests", "Slow down; go on after `Retry-After`."),
    "too_many_attempts": Kind(429, "Too many wrong tries", "Wait for `Retry-After`; each wrong try makes it longer."),
    "payment_refused": Kind(
        502, "The payment's provider refuses it", "`detail` has the provider's words; the staff can help."
    ),
    "internal_error": Kind(
        500, "Something went wrong here", "Tell us the `request_id`: it names what happened in the log."
    ),
    "no_answer_in_time": Kind(
        503, "No answer in time", "Send the same again, with the same ids, until it is answered."
    ),
    "count_too_late": Kind(503, "The count came too late", "Count again, under a new id."),
    "busy": Kind(503, "Too much is waiting", "Ask again after `Retry-After`."),
    "unavailable": Kind(503, "A part of the system is away", "Ask again after `Retry-After`."),
    "payments_disabled": Kind(503, "Payments are not set up here", "Pay at the desk; an operator sets the keys."),
    "images_away": Kind(503, "Pictures cannot be kept or shown now", "Send the same again after `Retry-After`."),
    "not_decided": Kind(503, "The scan could not be decided", "Send the same again, with the same ids."),
}
"""Code to status, for the whole interface; the door's and the gyms' own problem codes are among them."""
