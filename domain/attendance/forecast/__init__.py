"""Forecast of a gym's occupancy by the hour, its bands, and the backtest that measures both."""
