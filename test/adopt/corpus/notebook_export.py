#!/usr/bin/env python
# coding: utf-8

# # Orders

# In[1]:


get_ipython().run_line_magic('matplotlib', 'inline')
import pandas as pd


# In[2]:


df = pd.read_csv('orders.csv')
df.head()


# In[3]:


def shout(name):
    return name.upper()


# In[4]:


WORDS = ['shoe', 'boot']
df['loud'] = df['name'].apply(shout)
df['shoe'] = df['name'].str.lower().apply(lambda n: any(w in n for w in WORDS))
df.describe()


# In[5]:


df.to_csv('out.csv', index=False)
