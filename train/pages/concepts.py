"""What common buttons are for, and the names that sites give them."""

CONCEPTS: dict[str, list[str]] = {
    "cart": ["Add to cart"] * 3 + ["Add to basket", "Add to bag", "Buy now", "Buy", "Add"],
    "open_cart": ["Cart", "Cart", "Basket", "Bag", "View cart", "My cart", "Shopping cart", "Your basket"],
    "checkout": ["Checkout", "Checkout", "Check out", "Go to checkout", "Proceed to checkout"],
    "order": [
        "Place order",
        "Place order",
        "Order now",
        "Complete order",
        "Confirm order",
        "Buy now",
        "Submit order",
    ],
    "pay": ["Pay now", "Pay", "Make payment"],
    "login": ["Log in", "Login", "Sign in"],
    "signup": ["Sign up", "Register", "Create account", "Join now"],
    "continue": ["Continue", "Next", "Proceed", "Next step"],
    "search": ["Search", "Go", "Find"],
    "send": ["Send", "Send message", "Submit"],
    "save": ["Save", "Save changes", "Update"],
    "clear_done": ["Clear completed", "Clear finished", "Remove completed", "Delete done", "Clear done"],
    "show_all": ["All"],
    "show_open": ["Active", "Open", "To do", "Pending", "Unfinished"],
    "show_done": ["Completed", "Done", "Finished"],
}
DISMISS = ["Close", "No thanks", "Not now", "Got it", "Maybe later", "Skip", "Dismiss", "OK", "I understand"]
CONFIRM = ["Yes", "OK", "Confirm", "Delete", "Yes, delete", "Remove", "Continue"]
REFUSE = ["Cancel", "No", "Keep it", "Go back", "Abort"]
STATUSES = "Active Pending Shipped Paid Open Closed Draft Failed Online Offline Approved Rejected Done Running Paused".split()
