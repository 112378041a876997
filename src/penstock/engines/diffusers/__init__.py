"""diffusers: pictures by FLUX, Stable Diffusion and others."""
